"""Predicted memory against a real training step on the CPU, and `archscope fit` as people and scripts call it."""

import json
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest
import torch
from torch import nn

from archscope.analysis.memory import MemoryPrediction
from archscope.cli.app import main
from archscope.core.documents import load_schema
from archscope.memory.ledger import StorageLedger
from archscope.memory.predict import predict_memory
from archscope.models.registry import build_model, default_input_shape, list_entries

NAMES = [entry.name for entry in list_entries()]
QUICK = ["alexnet", "googlenet", "resnet18", "resnet20", "vgg16_cifar_bn"]


def _measure_saved(model: nn.Module, image: torch.Tensor) -> int:
    """Bytes of the unique storages that the hooks see in a real forward pass; they are held, so that none is reused."""
    state = {tensor.untyped_storage().data_ptr() for tensor in (*model.parameters(), *model.buffers())}
    held: dict[int, torch.UntypedStorage] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in state:
            held[storage.data_ptr()] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        model.train()(image)
    return sum(storage.nbytes() for storage in held.values())


def _predict(build: Callable[[], nn.Module], shape: tuple[int, ...]) -> MemoryPrediction:
    return predict_memory(build, lambda module, device: ((torch.empty(shape, device=device),), {}), train=True)


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


@pytest.mark.parametrize("train", [[], ["--train"]], ids=["inference", "training"])
def test_the_largest_batch_fits_and_one_more_does_not(run: Any, train: list[str]) -> None:
    code, out, _ = run(*NET, *train, "--memory", "1MB", "--format", "json")
    found = json.loads(out)
    assert (code, found["fits"]) == (0, True)
    assert found["batch"] == found["largest_batch"] > 10
    assert found["needed_bytes"] <= 1_000_000 < found["next_needed_bytes"]
    more = str(found["batch"] + 1)
    code, out, _ = run(*NET, *train, "--memory", "1MB", "--batch", more, "--format", "json")
    above = json.loads(out)
    assert (code, above["fits"], above["needed_bytes"]) == (1, False, found["next_needed_bytes"])


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
        (["saved.json", "--memory", "1GiB"], "saved trace"),
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
    code, out, _ = run(f"{path}:net", "--input", "1x4:float32", "--train", "--memory", "40MB", "--format", "json")
    found = json.loads(out)
    assert code == 0
    assert found["largest_batch"] > 2
    assert any("batch 1 does not run" in note for note in found["notes"])
    assert found["inputs"] == [[found["batch"], 4]]
