"""Predicted memory against a real training step on the CPU, and `archscope fit` as people and scripts call it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import torch
from torch import nn

import archscope
from archscope.analysis.memory import MemoryPrediction
from archscope.cli.app import main
from archscope.core.documents import load_schema
from archscope.memory.ledger import StorageLedger
from archscope.memory.predict import predict_memory
from archscope.models.registry import build_model, default_input_shape, list_entries

NAMES = [entry.name for entry in list_entries()]
QUICK = ["alexnet", "googlenet", "resnet18", "resnet20", "vgg16_cifar_bn"]


def _measure_saved(model: nn.Module, image: torch.Tensor, dtype: str = "fp32") -> int:
    """Bytes of the unique storages that the hooks see in a real forward pass; they are held, so that none is reused."""
    state = {tensor.untyped_storage().data_ptr() for tensor in (*model.parameters(), *model.buffers())}
    held: dict[int, torch.UntypedStorage] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in state:
            held[storage.data_ptr()] = storage
        return tensor

    narrow = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(dtype)
    with (
        torch.autocast("cpu", dtype=narrow, enabled=narrow is not None),
        torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor),
    ):
        model.train()(image)
    return sum(storage.nbytes() for storage in held.values())


def _predict(build: Callable[[], nn.Module], shape: tuple[int, ...], dtype: str = "fp32") -> MemoryPrediction:
    def make_inputs(module: nn.Module, device: torch.device) -> Any:
        return (torch.empty(shape, device=device, dtype=next(module.parameters()).dtype),), {}

    return predict_memory(build, make_inputs, train=True, dtype=dtype)


def _make_real(name: str) -> nn.Module:
    arguments = {"aux": True} if name == "googlenet" else {}
    with torch.device("meta"):
        model = build_model(name, **arguments)
    return model.to_empty(device="cpu")


def _check(name: str, batch: int) -> None:
    arguments = {"aux": True} if name == "googlenet" else {}
    shape = (batch, *default_input_shape(name))
    found = _predict(lambda: build_model(name, **arguments), shape)
    model = _make_real(name)
    assert found.saved_activation_bytes == _measure_saved(model, torch.zeros(shape))
    assert found.parameter_bytes == found.gradient_bytes == 4 * sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("name", QUICK)
def test_saved_bytes_equal_a_real_step(name: str, batch: int) -> None:
    _check(name, batch)


@pytest.mark.slow
@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("name", [name for name in NAMES if name not in QUICK])
def test_saved_bytes_equal_a_real_step_in_every_model(name: str, batch: int) -> None:
    _check(name, batch)


@pytest.mark.parametrize("batch", [1, 2])
def test_the_vision_transformer_too(batch: int) -> None:
    models = pytest.importorskip("torchvision.models", reason="needs the extra models")
    found = _predict(models.vit_b_16, (batch, 3, 224, 224))
    assert found.saved_activation_bytes == _measure_saved(models.vit_b_16(), torch.zeros(batch, 3, 224, 224))


class Mixed(nn.Module):
    """What autocast treats in different ways: products, three normalisations, a softmax, tied weights."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
        self.norms = nn.Sequential(nn.BatchNorm2d(8), nn.GELU(), nn.GroupNorm(2, 8))
        self.first, self.second = nn.Linear(8, 8), nn.Linear(8, 8)
        self.second.weight = self.first.weight
        self.norm = nn.LayerNorm(8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norms(self.conv(x)).mean((2, 3))
        return torch.softmax(self.norm(self.second(torch.relu(self.first(x)))), 1)


@pytest.mark.parametrize("dtype", ["bf16", "fp16"])
@pytest.mark.parametrize("batch", [1, 3])
def test_autocast_saves_what_a_real_step_saves(dtype: str, batch: int) -> None:
    image = torch.zeros(batch, 3, 32, 32)
    for build in (Mixed, lambda: build_model("resnet20"), lambda: build_model("vgg16_cifar_bn")):
        found, model = _predict(build, (batch, 3, 32, 32), dtype), build()
        assert found.saved_activation_bytes == _measure_saved(model, image, dtype)
        # Weights and gradients stay float32.
        assert found.parameter_bytes == found.gradient_bytes == 4 * sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize(("dtype", "narrow"), [("bf16-pure", torch.bfloat16), ("fp16-pure", torch.float16)])
def test_narrow_weights_save_what_a_real_step_saves(dtype: str, narrow: torch.dtype) -> None:
    image = torch.zeros(2, 3, 32, 32, dtype=narrow)
    for build in (Mixed, lambda: build_model("resnet20")):
        found, model = _predict(build, (2, 3, 32, 32), dtype), build().to(narrow)
        assert found.saved_activation_bytes == _measure_saved(model, image)
        assert found.parameter_bytes == found.gradient_bytes == 2 * sum(p.numel() for p in model.parameters())


def test_inputs_are_as_narrow_as_the_weights() -> None:
    image: Any = ((torch.empty(5, 3, device="meta"),), {})
    found = predict_memory(lambda: nn.Linear(3, 4), lambda module, device: image, train=True, dtype="bf16-pure")
    assert found.saved_activation_bytes == 2 * 5 * 3
    assert found.optimizer_bytes == 0


def test_autocast_by_hand_and_tf32_as_float32() -> None:
    def build() -> nn.Module:
        return nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))

    # In two bytes each: the input's cast, what ReLU makes, and the casts of the weights that give a gradient to what
    # is before them: only the second product's.
    assert _predict(build, (5, 3), "bf16").saved_activation_bytes == 2 * (5 * 3 + 5 * 4 + 4 * 2)
    assert _predict(build, (5, 3), "tf32") == _predict(build, (5, 3))


@pytest.mark.parametrize("name", ["alexnet", "resnet18"])
def test_the_peak_is_that_of_a_real_step_watched_alike(name: str) -> None:
    shape = (4, *default_input_shape(name))
    found = _predict(lambda: build_model(name), shape)
    model, image = _make_real(name).train(), torch.zeros(shape)
    for parameter in model.parameters():
        nn.init.zeros_(parameter)
    watch = StorageLedger(model, [*model.parameters(), *model.buffers(), image], 0)
    with watch:
        scores = model(image)
        watch.phase = "backward"
        nn.functional.cross_entropy(scores, torch.zeros(4, dtype=torch.int64)).backward()
    assert found.peak_bytes == pytest.approx(watch.peak.live_bytes, rel=0.01)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Any:
    def call(*words: str) -> tuple[int, str, str]:
        code = main(["fit", *words])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


# vgg of one convolution of 8 channels: 9 * 3 * 8 + 8 parameters, images of 3 x 8 x 8.
NET = ["vgg", "--arg", "cfg=8,M", "--arg", "classifier=none", "--input", "8"]


def test_a_given_batch_in_json(run: Any) -> None:
    code, out, _ = run(*NET, "--train", "--optimizer", "momentum", "--batch", "5", "--format", "json")
    document = json.loads(out)
    jsonschema.Draft202012Validator(load_schema("fit")).validate(document)
    parameters = 4 * (9 * 3 * 8 + 8)
    assert code == 0
    assert (document["parameter_bytes"], document["gradient_bytes"], document["optimizer_bytes"]) == (parameters,) * 3
    # The image, the result of ReLU (in place), which the pool reads, and the pool's indices.
    assert document["saved_activation_bytes"] == 5 * (4 * 3 * 64 + 4 * 8 * 64 + 8 * 8 * 16)
    assert document["peak_bytes"] > document["saved_activation_bytes"]
    assert document["inputs"] == [[5, 3, 8, 8]]
    assert (document["batch"], document["fits"], document["largest_batch"]) == (5, None, None)
    assert document["needed_bytes"] == document["peak_bytes"] + document["workspace_bytes"]


@pytest.mark.parametrize("train", [[], ["--train"]], ids=["inference", "training"])
def test_the_largest_batch_fits_and_one_more_does_not(run: Any, train: list[str]) -> None:
    code, out, _ = run(*NET, *train, "--memory", "1MB", "--reserve", "0", "--format", "json")
    found = json.loads(out)
    assert (code, found["fits"]) == (0, True)
    assert found["batch"] == found["largest_batch"] > 10
    assert found["needed_bytes"] <= 1_000_000 < found["next_needed_bytes"]
    more = str(found["batch"] + 1)
    code, out, _ = run(*NET, *train, "--memory", "1MB", "--reserve", "0", "--batch", more, "--format", "json")
    above = json.loads(out)
    assert (code, above["fits"], above["needed_bytes"]) == (1, False, found["next_needed_bytes"])


@pytest.mark.parametrize(
    ("words", "kept_free"),
    [
        ([], 2**29 + 4 * 10**9 // 20),  # 0.5 GiB and 5 %
        (["--train", "--optimizer", "adam"], 2**29 + 4 * 10**9 // 20),
        (["--train", "--dtype", "bf16"], 2**29 + 4 * 10**9 // 20),
        (["--dtype", "fp16-pure", "--reserve", "1GiB"], 2**30),
        (["--reserve", "12.5%"], 4 * 10**9 // 8),
        (["--train", "--reserve", "10% + 100MB"], 10**8 + 4 * 10**8),
        (["--reserve", "0"], 0),
    ],
)
def test_the_answer_holds_by_its_own_account(run: Any, words: list[str], kept_free: int) -> None:
    asked = [*NET, *words, "--memory", "4GB"]
    code, out, _ = run(*asked, "--format", "json")
    found = json.loads(out)
    jsonschema.Draft202012Validator(load_schema("fit")).validate(found)
    assert (code, found["reserve_bytes"], found["memory_bytes"]) == (0, kept_free, 4 * 10**9)
    assert found["needed_bytes"] == found["peak_bytes"] + found["workspace_bytes"]
    assert found["needed_bytes"] + kept_free <= 4 * 10**9 < found["next_needed_bytes"] + kept_free
    # Asked for alone, the batch fits and the next does not.
    for batch, fits in ((found["batch"], True), (found["batch"] + 1, False)):
        code, out, _ = run(*asked, "--batch", str(batch), "--format", "json")
        assert (code, json.loads(out)["fits"]) == (1 - fits, fits)


def test_the_reserve_changes_nothing_that_is_needed(run: Any) -> None:
    found = [
        json.loads(run(*NET, "--batch", "5", *words, "--format", "json")[1])
        for words in ([], ["--reserve", "0"], ["--reserve", "3GiB+40%"])
    ]
    for key in ("peak_bytes", "workspace_bytes", "needed_bytes"):
        assert len({document[key] for document in found}) == 1
    needed = found[0]["needed_bytes"]
    # The least memory M of which needed are left: M - 0.05 M - 2**29 >= needed.
    least = -(-(needed + 2**29) * 20 // 19)
    assert [document["reserve_bytes"] for document in found][:2] == [least - needed, 0]
    assert [document["reserve_share"] for document in found] == [0.05, 0, 0.4]
    code, _, _ = run(*NET, "--batch", "5", "--memory", f"{least}B")
    assert code == 0
    code, _, _ = run(*NET, "--batch", "5", "--memory", f"{least - 1}B")
    assert code == 1


def test_the_words_agree_with_the_reserve(run: Any) -> None:
    _, out, _ = run("resnet20", "--train", "--memory", "4GiB", "--format", "plain")
    (reserved,) = [line for line in out.splitlines() if line.startswith("reserved  ")]
    assert reserved.endswith("0.5 GiB + 5 % of 4 GiB")
    assert f"{2**29 + -(-(2**32) // 20):,}" in reserved
    assert "come on top" not in out
    assert "would exceed 4 GiB by" in out
    _, out, _ = run("resnet20", "--train", "--memory", "4GiB", "--reserve", "0", "--dtype", "bf16", "--format", "plain")
    assert "reserved" not in out
    assert "come on top" in out
    assert "no autocast" not in out
    assert "bfloat16 by autocast" in out


def test_a_saved_trace_is_asked_like_its_model(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(
        "import torch\nfrom torch import nn\n\n\nclass Net(nn.Module):\n"
        "    def __init__(self, c=4):\n        super().__init__()\n        self.fc = nn.Linear(6, c)\n\n"
        "    def forward(self, a, b):\n        return self.fc(torch.cat([a, b], 1))\n",
        encoding="utf-8",
    )
    inputs = ["--input", "a=1x2", "--input", "b=1x4"]
    for target, words in (("resnet20", []), ("vgg", NET[1:]), ("net.py:Net", ["--arg", "c=7", *inputs])):
        for ops in ([], ["--ops"]):
            assert main(["trace", target, *words, *ops, "-o", "saved.json"]) == 0
            for asked in (["--batch", "3", "--train"], ["--memory", "2GiB"]):
                told = json.loads(run("saved.json", *asked, "--format", "json")[1])
                direct = json.loads(run(target, *words, *asked, "--format", "json")[1])
                assert f"{target} is built again, as saved.json names it" in told.pop("notes")
                del direct["notes"]
                assert told == direct
    # The model has changed since.
    Path("net.py").write_text(Path("net.py").read_text(encoding="utf-8").replace("6, c)", "6, c, False)"), "utf-8")
    code, _, err = run("saved.json", "--batch", "1")
    assert code == 2
    assert "net.py:Net has 42 parameters now, and had 49 when saved.json was saved" in err
    code, _, err = run("saved.json", "--batch", "1", "--arg", "c=3")
    assert code == 2
    assert "is a saved trace: --input and --arg cannot change it" in err


def test_a_trace_of_no_target_in_words_says_what_to_name(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "saved.json"
    archscope.trace(nn.Linear(3, 4), torch.zeros(2, 3)).save(path)
    code, out, err = run(str(path), "--batch", "1")
    assert (code, out) == (2, "")
    assert "a trace of 'Linear', which cannot be built again" in err
    assert "name the model itself: archscope fit" in err


def test_nothing_fits_and_batch_1_is_told(run: Any) -> None:
    code, out, _ = run("resnet20", "--train", "--memory", "2MB", "--format", "plain")
    assert code == 1
    assert "nothing fits in 2 MB: batch 1 needs " in out


def test_the_table_names_the_layer_that_decides(run: Any) -> None:
    code, out, _ = run("resnet20", "--train", "--optimizer", "adam", "--memory", "1GiB", "--format", "plain")
    assert code == 0
    assert "the largest batch within 1 GiB is " in out
    (peak,) = [line for line in out.splitlines() if line.startswith("peak of tensors")]
    assert ", backward" in peak
    assert "optimizer state (adam)" in out
    assert "saved in layer1.0" in out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["resnet18"], "neither a memory nor a batch"),
        (["resnet18", "--memory", "16"], "no unit"),
        (["resnet18", "--memory", "lots"], "not an amount"),
        (["resnet18", "--memory", "1GiB", "--optimizer", "adam"], "--train only"),
        (["resnet18", "--batch", "2", "--train", "--optimizer", "adma"], "unknown optimizer"),
        (["resnet81", "--memory", "1GiB"], "unknown model"),
        (["saved.json", "--memory", "1GiB"], "there is no file saved.json"),
        (["resnet18", "--batch", "2", "--dtype", "bf17"], "unknown dtype 'bf17'"),
        (["resnet18", "--batch", "2", "--reserve", "5"], "--reserve '5' has no unit"),
        (["resnet18", "--batch", "2", "--reserve", "100%"], "leaves no memory"),
        (["resnet18", "--batch", "2", "--reserve", "5%+5%"], "names two shares"),
        (["resnet18", "--batch", "2", "--reserve", ""], "--reserve '' is not an amount"),
        (["resnet18", "--memory", "1000000000.5B"], "no whole number of bytes"),
        (["resnet18", "--memory", "1GiB", "--batch", "0"], "batch"),
    ],
)
def test_wrong_words_exit_2_and_say_why(run: Any, words: list[str], told: str) -> None:
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert told in err


def test_a_model_that_raises_exits_3(run: Any) -> None:
    code, _, err = run("alexnet", "--input", "8", "--batch", "1")
    assert code == 3
    assert "forward raised" in err


def test_batch_norm_over_single_values_starts_at_two(run: Any, tmp_path: Any) -> None:
    path = tmp_path / "net.py"
    path.write_text(
        "from torch import nn\n\n\ndef net():\n    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8))\n",
        encoding="utf-8",
    )
    words = ["--input", "1x4:float32", "--train", "--memory", "40MB", "--reserve", "0", "--format", "json"]
    code, out, _ = run(f"{path}:net", *words)
    found = json.loads(out)
    assert code == 0
    assert found["largest_batch"] > 2
    assert any("batch 1 does not run" in note for note in found["notes"])
    assert found["inputs"] == [[found["batch"], 4]]
