"""Activation memory against a real forward pass: ordinary hooks sum what every call that calls no other returns."""

import csv
import json
import warnings
from collections.abc import Callable, Iterator, Mapping
from io import StringIO
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import archscope
from archscope.cli.app import main

TORCHVISION = (
    "alexnet", "densenet121", "resnet18", "googlenet", "mobilenet_v3_small", "efficientnet_b0", "shufflenet_v2_x0_5",
    "squeezenet1_1", "mnasnet0_5", "regnet_y_400mf", "vit_b_32", "swin_t",
)  # fmt: skip
TIMM = ("resnet10t", "deit_tiny_patch16_224", "pit_ti_224", "levit_128s", "ghostnet_050", "xcit_nano_12_p16_224",
        "repvgg_a0", "dla34")  # fmt: skip
TRANSFORMERS: dict[str, tuple[str, dict[str, int]]] = {
    "BertConfig": ("BertModel", {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}),
    "GPT2Config": ("GPT2LMHeadModel", {"n_embd": 32, "n_layer": 2, "n_head": 2, "vocab_size": 99}),
    "LlamaConfig": (
        "LlamaForCausalLM",
        {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "vocab_size": 99},
    ),
}


def list_tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from list_tensors(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from list_tensors(item)


def sum_leaf_outputs(model: nn.Module, *args: Any, **kwargs: Any) -> int:
    """Bytes, by torch's own element sizes."""
    open_calls: list[bool] = []
    total = 0

    def enter(*_: Any) -> None:
        if open_calls:
            open_calls[-1] = False
        open_calls.append(True)

    def leave(module: nn.Module, given: Any, output: Any) -> None:
        nonlocal total
        if open_calls.pop():
            total += sum(tensor.numel() * tensor.element_size() for tensor in list_tensors(output))

    hooks = [
        hook
        for module in nn.Module.modules(model)
        for hook in (module.register_forward_pre_hook(enter), module.register_forward_hook(leave))
    ]
    with torch.no_grad():
        model(*args, **kwargs)
    for hook in hooks:
        hook.remove()
    return total


def check(model: nn.Module, *args: Any, **kwargs: Any) -> None:
    summary = archscope.trace(model, *args, **kwargs)
    expected = sum_leaf_outputs(model, *args, **kwargs)
    assert summary.activation_bytes == expected
    assert summary.to_dict()["totals"]["activation_bytes"] == expected
    assert summary.layers[0].activation_bytes == expected
    assert sum(layer.activation_bytes for layer in summary.layers if layer.leaf) == expected
    *_, total = archscope.table(summary).to_dict()["rows"]
    assert total["bytes"] == expected


def build_quietly(build: Callable[[], nn.Module]) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return build().eval()


@pytest.mark.parametrize("name", TORCHVISION)
def test_torchvision(name: str) -> None:
    models = pytest.importorskip("torchvision.models")
    model = build_quietly(lambda: models.get_model(name, weights=None))
    side = 224 if name.startswith("vit") else 64
    check(model, torch.zeros(2, 3, side, side))


@pytest.mark.parametrize("name", TIMM)
def test_timm(name: str) -> None:
    timm = pytest.importorskip("timm")
    check(build_quietly(lambda: timm.create_model(name)), torch.zeros(1, 3, 224, 224))


@pytest.mark.parametrize("config", TRANSFORMERS)
def test_transformers(config: str) -> None:
    transformers = pytest.importorskip("transformers")
    kind, sizes = TRANSFORMERS[config]
    model = build_quietly(lambda: getattr(transformers, kind)(getattr(transformers, config)(**sizes)))
    check(model, input_ids=torch.zeros(2, 7, dtype=torch.long))


class Odd(nn.Module):
    """Every kind of output: nested, None, elements of 1, 2, 8 and 16 bytes."""

    def forward(self, x: Tensor) -> dict[str, Any]:
        complexes = torch.complex(x.double(), x.double())
        return {"a": [x.double(), None, (x > 0)], "b": (x.half(), "word", 3), "c": x.to(torch.int8), "d": complexes}


class Odder(nn.Module):
    """Layers in place and called again, layers that hand on what they get, a leaf that returns nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.relu = nn.ReLU(inplace=True)
        self.drop = nn.Dropout()
        self.same = nn.Identity()
        self.odd = Odd()
        self.lstm = nn.LSTM(4, 3, 2, bidirectional=True, batch_first=True)
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)

    def forward(self, x: Tensor) -> list[Tensor]:
        for _ in range(2):
            x = self.drop(self.relu(self.fc(x)))
        self.odd(x)
        x = self.attention(x, x, x)[0]
        return [self.same(x), self.lstm(x)[0]]


@pytest.mark.parametrize("training", [False, True])
def test_odd_outputs(training: bool) -> None:
    check(Odder().train(training), torch.zeros(2, 5, 4))


def test_odd_outputs_by_hand() -> None:
    summary = archscope.trace(nn.Sequential(Odd()), torch.zeros(2, 5))
    # Ten elements each: float64, bool, float16, int8 and complex128.
    assert summary.activation_bytes == 10 * (8 + 1 + 2 + 1 + 16)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.complex64])
def test_other_dtypes(dtype: torch.dtype) -> None:
    check(nn.Sequential(nn.Linear(4, 3, dtype=dtype), nn.Linear(3, 2, dtype=dtype)), torch.zeros(2, 4, dtype=dtype))


def test_indices_and_a_lone_layer() -> None:
    check(nn.Sequential(nn.MaxPool2d(2, return_indices=True)), torch.zeros(1, 3, 8, 8))
    check(nn.Linear(3, 5), torch.zeros(7, 3))
    assert archscope.trace(nn.Linear(3, 5), torch.zeros(7, 3)).activation_bytes == 7 * 5 * 4


def test_alexnet_by_hand(capsys: pytest.CaptureFixture[str]) -> None:
    """Convolutions and their ReLUs twice, pools and norms once, the fully connected with ReLU and dropout thrice."""
    elements = (
        2 * 55 * 55 * 96 + 2 * 27 * 27 * 96 + 2 * 27 * 27 * 256 + 2 * 13 * 13 * 256
        + 2 * 2 * 13 * 13 * 384 + 2 * 13 * 13 * 256 + 6 * 6 * 256 + 3 * 4096 + 3 * 4096 + 1000
    )  # fmt: skip
    assert main(["table", "alexnet", "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert rows[-1]["bytes"] == 4 * elements
    assert [row["bytes"] for row in rows[:2]] == [4 * 3 * 227 * 227, 4 * 96 * 55 * 55]
    assert main(["trace", "alexnet"]) == 0
    assert "5.96 MiB of activation memory" in capsys.readouterr().out


class TestCsv:
    """One row a call: what holds others and what is a leaf can be told apart, and nothing is folded."""

    def read(self, capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, str]]:
        assert main(["trace", *words, "--format", "csv"]) == 0
        return list(csv.DictReader(StringIO(capsys.readouterr().out)))

    @pytest.mark.parametrize(
        "words", [["resnet34"], ["vgg11"], ["googlenet"], ["resnet34", "--columns", "macs,params,memory"]]
    )
    def test_leaves_add_up_to_the_totals(self, capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
        summary = archscope.trace(words[0])
        rows = self.read(capsys, *words)
        assert [row["depth"] for row in rows] == [str(layer.depth) for layer in summary.layers]
        assert [row["leaf"] for row in rows] == [str(layer.leaf) for layer in summary.layers]
        assert [row["layer"] for row in rows if "#" not in row["layer"] and "call" not in row["layer"]] == [
            layer.path for layer in summary.layers if layer.call.call == 0
        ]
        leaves = [row for row in rows if row["leaf"] == "True"]
        assert sum(int(row["macs"]) for row in leaves) == summary.macs
        assert sum(int(row["params"]) for row in leaves) == summary.params
        assert sum(int(row["memory"]) for row in leaves) == summary.activation_bytes

    def test_a_file_has_the_same(self, capsys: pytest.CaptureFixture[str], tmp_path: Any) -> None:
        rows = self.read(capsys, "resnet34", "--depth", "2")
        archscope.trace("resnet34").save(tmp_path / "all.csv")
        with open(tmp_path / "all.csv", encoding="utf-8") as file:
            assert [row for row in csv.DictReader(file) if int(row["depth"]) <= 2] == rows

    def test_a_list_says_it_too(self, capsys: pytest.CaptureFixture[str]) -> None:
        rows = self.read(capsys, "resnet34", "--filter", "layer1*")
        assert [(row["layer"], row["depth"], row["leaf"]) for row in rows[:3]] == [
            ("layer1", "1", "False"), ("layer1.0", "2", "False"), ("layer1.0.conv1", "3", "True"),
        ]  # fmt: skip


class TestColumns:
    def test_what_is_chosen_is_what_json_has(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["trace", "alexnet", "--columns", "input,kernel,memory,memory_share", "--format", "json"]) == 0
        document = json.loads(capsys.readouterr().out)
        assert document["schema"] == "archscope.table/1"
        row = next(row for row in document["rows"] if row["layer"] == "conv1")
        assert (row["input"], row["kernel"], row["memory"]) == ("1x3x227x227", "11x11", 4 * 96 * 55 * 55)
        assert row["memory_share"] == 1_161_600 / 6_245_792
        assert (row["depth"], row["leaf"]) == (1, True)

    @pytest.mark.parametrize(
        "words", [["--columns", "memori"], ["--columns", ""], ["--columns", "macs,macs"], ["--sort", "memori"]]
    )
    def test_what_is_no_column_is_said_before_the_work(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: list[str]
    ) -> None:
        monkeypatch.setattr("archscope.api.calls.trace_target", lambda *_: pytest.fail("the work began"))
        assert main(["trace", "alexnet", *words]) == 2
        assert "memory" in capsys.readouterr().err or "macs,macs" in words

    def test_sorted_by_memory(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["trace", "alexnet", "--sort", "memory", "--top", "3", "--format", "json"]) == 0
        rows = json.loads(capsys.readouterr().out)["rows"]
        assert [row["memory"] for row in rows] == [4 * 96 * 55 * 55] * 2 + [4 * 256 * 27 * 27]

    def test_from_python(self) -> None:
        summary = archscope.trace("alexnet")
        table = summary.table(depth=1, columns="memory")
        assert [column.key for column in table.columns if not column.hidden] == ["layer", "memory"]
        assert table.rows[0].cells[1].value == summary.activation_bytes
        with pytest.raises(archscope.ArchscopeError, match="did you mean memory"):
            summary.table(columns=["memori"])
