"""Models that nobody here wrote: torchvision, timm and transformers. They need the extras `models` and `hf`."""

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import archscope
from archscope.api.calls import trace_target
from archscope.core.errors import ArchscopeError
from archscope.core.words import TraceOptions
from archscope.targets.resolve import resolve_target

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

WITH_HEADS = {"googlenet", "inception_v3", "quantized_googlenet", "quantized_inception_v3"}
"""Published without their auxiliary heads, which are built here."""


def _list_torchvision() -> list[str]:
    try:
        from torchvision import models
    except (ImportError, RuntimeError):
        return []
    return list(models.list_models())


@pytest.mark.parametrize("name", _list_torchvision())
def test_torchvision_models_agree_with_what_they_publish(name: str) -> None:
    from torchvision import models

    published = models.get_model_weights(name).DEFAULT.meta
    summary = archscope.trace(f"torchvision:{name}")
    assert summary.trace.failure is None
    assert summary.costs.macs is not None
    if name not in WITH_HEADS:
        assert summary.trace.totals.params == published["num_params"]
    if any("proposals" in note for note in summary.trace.notes):
        assert models.get_model_builder(name).__module__.startswith("torchvision.models.detection")
    else:
        assert round(summary.costs.macs / 1e9, 3) == pytest.approx(published["_ops"], abs=0.0011)


@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
@pytest.mark.parametrize("mode", ["meta", "fake", "real"])
def test_the_vision_transformer_costs_the_same_in_every_mode(mode: Any, training: bool) -> None:
    pytest.importorskip("torchvision", reason="needs the extra models")
    options = TraceOptions(mode=mode, train=training)
    assert trace_target("torchvision:vit_b_16", options).costs.macs == 17_563_828_224


def test_vision_transformer_equals_its_hand_formula() -> None:
    pytest.importorskip("torchvision", reason="needs the extra models")
    tokens, width, blocks = 197, 768, 12
    block = tokens * (4 * width * width + 2 * width * 3072) + 2 * tokens * tokens * width
    stem, head = 196 * width * 3 * 16 * 16, width * 1000
    assert archscope.trace("torchvision:vit_b_16").costs.macs == blocks * block + stem + head == 17_563_828_224


TIMM = ["resnet50", "vit_tiny_patch16_224", "convnext_tiny", "mobilenetv3_large_100", "efficientnet_b0", "levit_128s",
        "swin_tiny_patch4_window7_224", "regnety_008", "mixer_s32_224", "cait_xxs24_224", "densenet121"]  # fmt: skip


@pytest.mark.parametrize("name", TIMM)
def test_timm_models_equal_an_independent_count(name: str) -> None:
    timm = pytest.importorskip("timm", reason="needs the extra models")
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    model = timm.create_model(name, pretrained=False).eval().requires_grad_(False)
    summary = archscope.trace(f"timm:{name}")
    assert summary.trace.totals.params == sum(p.numel() for p in model.parameters())
    image = torch.zeros(1, *model.default_cfg["input_size"])
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        output = model.to("meta")(image.to("meta"))
    assert summary.trace.outputs[0].shape == tuple(output.shape)
    assert summary.costs.macs == counter.get_total_flops() // 2


LLAMA = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 64, "intermediate_size": 128,
         "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 100}  # fmt: skip
SMALL: dict[str, dict[str, Any]] = {
    "llama": LLAMA,
    "bert": {"architectures": ["BertModel"], "model_type": "bert", "hidden_size": 32, "num_hidden_layers": 2,
             "num_attention_heads": 4, "intermediate_size": 64, "vocab_size": 50},
    "gpt2": {"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "n_embd": 32, "n_layer": 2, "n_head": 4,
             "vocab_size": 50},
    "t5": {"architectures": ["T5ForConditionalGeneration"], "model_type": "t5", "d_model": 32, "d_kv": 8, "d_ff": 64,
           "num_layers": 2, "num_heads": 4, "vocab_size": 50},
    "vit": {"architectures": ["ViTModel"], "model_type": "vit", "hidden_size": 32, "num_hidden_layers": 2,
            "num_attention_heads": 4, "intermediate_size": 64, "image_size": 32, "patch_size": 8},
}  # fmt: skip


def _write(folder: Path, config: dict[str, Any]) -> Path:
    path = folder / "config.json"
    path.write_text(json.dumps(config), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", list(SMALL))
def test_transformers_configurations_trace(name: str, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers", reason="needs the extra hf")
    path = _write(tmp_path, SMALL[name])
    summary = archscope.trace(f"hf:{path}")
    config = transformers.AutoConfig.from_pretrained(str(tmp_path))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = getattr(transformers, SMALL[name]["architectures"][0])(config)
    assert summary.trace.totals.params == sum(p.numel() for p in model.parameters())
    assert summary.costs.macs is not None


def test_a_llama_decoder_equals_projections_and_attention_by_hand(tmp_path: Path) -> None:
    pytest.importorskip("transformers", reason="needs the extra hf")
    import torch

    path = _write(tmp_path, LLAMA)
    tokens, width, inner, heads, size = 10, 64, 128, 4, 16
    summary = archscope.trace(f"hf:{path}", input_ids=torch.zeros(1, tokens, dtype=torch.int64))
    projections = tokens * (width * width * 2 + 2 * width * (2 * size) + 3 * width * inner)
    attention = 2 * heads * tokens * tokens * size
    assert summary.costs.macs == 2 * (projections + attention) + tokens * width * 100


LLAMA_70B = LLAMA | {
    "hidden_size": 8192,
    "intermediate_size": 28672,
    "num_hidden_layers": 80,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
}


def test_a_llama_of_70_billion_traces_within_two_gigabytes(
    tmp_path: Path, measure_memory: Callable[[str], tuple[list[int], int]]
) -> None:
    pytest.importorskip("transformers", reason="needs the extra hf")
    path = _write(tmp_path, LLAMA_70B)
    code = (
        f"import archscope\nsummary = archscope.trace('hf:{path}')\n"
        "print(summary.trace.totals.params, summary.costs.macs, *summary.trace.inputs[0].shape, before)"
    )
    (params, macs, texts, tokens, torch_bytes), grown_bytes = measure_memory(code)
    width, inner, size = 8192, 28672, 128
    block = 2 * width * width + 2 * width * 8 * size + 3 * width * inner
    assert params == 80 * (block + 2 * width) + width + 2 * 128256 * width == 70_553_706_496
    assert macs == texts * (80 * (tokens * block + 2 * tokens * tokens * width) + tokens * 128256 * width)
    assert torch_bytes + grown_bytes < 2_000_000_000


@pytest.mark.parametrize(
    ("text", "word"),
    [("torchvision:resnet5", "resnet50"), ("timm:resnet5o", "resnet50"), ("hf:nowhere.json", "nowhere.json")],
)
def test_unknown_names_of_other_origins_suggest_the_right_word(text: str, word: str) -> None:
    pytest.importorskip("torchvision", reason="needs the extra models")
    with pytest.raises(ArchscopeError) as caught:
        resolve_target(text, {})
    assert caught.value.exit_code == 2
    assert word in f"{caught.value.message} {caught.value.remedy}"
