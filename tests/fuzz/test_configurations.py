"""Configurations of transformers, valid and changed: each is traced or refused, and never breaks anything.

Of 300 seeded configurations a tenth are as transformers makes them, made tiny; the others have one to three fields of
another size or type, missing, or added.
"""

import contextlib
import io
import json
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any

import pytest

from archscope.cli.app import main

transformers = pytest.importorskip("transformers")
pytestmark = pytest.mark.slow

CONFIGURATIONS = 300
SEED = 20_261_124
LIMIT_SECONDS = 10.0
TYPES = (
    *("albert", "bart", "bert", "bloom", "clip", "deit", "distilbert", "electra", "falcon", "gemma", "gpt2"),
    *("gpt_neox", "llama", "mamba", "mistral", "mobilebert", "mpt", "opt", "phi", "qwen2", "resnet", "roberta", "t5"),
    *("vit", "whisper", "deberta-v2", "convnext", "wav2vec2", "mixtral", "segformer"),
)
TINY = {
    **dict.fromkeys(("hidden_size", "d_model", "n_embd", "dim", "embedding_size", "word_embed_proj_dim"), 16),
    **dict.fromkeys(("intermediate_size", "ffn_dim", "hidden_dim", "d_ff", "encoder_ffn_dim", "decoder_ffn_dim"), 32),
    **dict.fromkeys(("num_hidden_layers", "n_layer", "n_layers", "num_layers", "encoder_layers", "decoder_layers"), 1),
    **dict.fromkeys(("num_attention_heads", "n_head", "n_heads", "num_heads", "num_key_value_heads"), 2),
    **dict.fromkeys(("encoder_attention_heads", "decoder_attention_heads"), 2),
    "vocab_size": 64,
    "image_size": 64,
    "head_dim": 8,
    "d_kv": 8,
    "max_position_embeddings": 32,
}
ODD: tuple[Any, ...] = (
    *(0, -1, 1, 3, 2.5, 1e400, float("nan"), True, False, None, "", "gelu", "none", "16", "\ud800", "é" * 300),
    *([], [1, 2], ["a"], {}, {"a": 1}, [[[]]], 2**31, 2**63, 10**30),
)


def make_tiny(model_type: str) -> dict[str, Any]:
    """The configuration that transformers makes itself, with the sizes that it names reduced."""
    made: dict[str, Any] = transformers.CONFIG_MAPPING[model_type]().to_dict()
    small = {name: size for name, size in TINY.items() if isinstance(made.get(name), int)}
    inside = {name: 0 for name, value in made.items() if name.endswith("_token_id") and isinstance(value, int)}
    made.pop("layer_types", None)  # follows from the number of layers
    return {**made, **small, **inside, "model_type": model_type}


def mutate(configuration: dict[str, Any], random: Random) -> str:
    """Change one to three fields in place; what was changed is returned."""
    told = []
    for _ in range(random.randint(1, 3)):
        name = random.choice([*configuration, "invented"])
        if random.random() < 0.1:
            configuration.pop(name, None)
            told.append(f"{name} removed")
            continue
        value = random.choice(ODD)
        counts = "layer" in name or "block" in name or name in ("depths", "num_stages", "num_experts")
        if counts and isinstance(value, int) and value > 100:
            value = 7  # as many layers take as long as they take
        configuration[name] = value
        told.append(f"{name} = {value!r}")
    return ", ".join(told)


@contextlib.contextmanager
def bound() -> Iterator[list[int]]:
    """What hangs is stopped, and told by the list that is returned."""
    stopped: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        stopped.append(number)
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, LIMIT_SECONDS)
    try:
        yield stopped
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="stops what hangs with SIGALRM")
def test_configurations_are_traced_or_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    random, codes, faults = Random(SEED), Counter[int](), []
    known = [name for name in TYPES if name in transformers.CONFIG_MAPPING]
    file, started = tmp_path / "config.json", time.monotonic()
    monkeypatch.chdir(tmp_path)
    for number in range(CONFIGURATIONS):
        model_type = known[number % len(known)]
        configuration = make_tiny(model_type)
        told = "as it is" if number < len(known) else mutate(configuration, random)
        file.write_text(json.dumps(configuration), encoding="utf-8")
        command = random.choice(("trace", "trace", "table", "budget"))
        options = ["--max-params", "1M"] if command == "budget" else ["--format", random.choice(("json", "plain"))]
        errors = io.StringIO()
        with bound() as stopped, contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(errors):
            code = main([command, "hf:config.json", *options])
        codes[code] += 1
        if stopped or code not in (0, 1, 2, 3) or (number < len(known) and code > 1):
            why = "hangs" if stopped else errors.getvalue()[-300:]
            faults.append(f"{number} {model_type}: {told}: exit {code}: {why}")
        assert [path.name for path in tmp_path.iterdir()] == ["config.json"]
    counts = ", ".join(f"{count} exit {code}" for code, count in sorted(codes.items()))
    with capsys.disabled():
        print(f"\n{CONFIGURATIONS} configurations of {len(known)} types: {counts}; {time.monotonic() - started:.0f} s")
    assert not faults, "\n".join(faults)
