"""Other counters beside ours: reconciled, every difference explained, and a crash is a row."""

from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from archscope.core.codec import encode
from archscope.core.documents import load_schema
from archscope.core.errors import ModelError
from archscope.core.words import TraceOptions, parse_input
from archscope.counters import compare
from archscope.counters import runnable as subject
from archscope.counters.compare import compare_target
from archscope.counters.differences import explain_kinds, explain_layers, explain_params
from archscope.counters.report import build_counters_document, build_table
from archscope.counters.tool_count import Comparison, RawCount, ToolCount
from archscope.observation import observe_target
from archscope.rendering import render


def find(comparison: Comparison, tool: str) -> ToolCount:
    return next(count for count in comparison.tool_counts if count.tool == tool)


def explain(count: ToolCount) -> dict[str, int]:
    return {item.cause: item.macs for item in count.differences}


def write_net(folder: Path, body: str) -> str:
    """A file with a class `Net`; the target that names it is returned."""
    (folder / "net.py").write_text(f"import torch\nfrom torch import nn\n\n\n{body}", encoding="utf-8")
    return f"{folder / 'net.py'}:Net"


def check_whole(comparison: Comparison) -> None:
    """Differences add up to theirs minus ours, and each is explained."""
    assert comparison.macs is not None
    for count in comparison.tool_counts:
        assert not count.error
        assert count.macs is not None
        assert sum(item.macs for item in count.differences) == count.macs - comparison.macs
        assert count.explained, count


@pytest.fixture(scope="module")
def resnet18() -> Comparison:
    return compare_target("resnet18", TraceOptions(inputs=(parse_input("64"),)))


def test_a_residual_network(resnet18: Comparison) -> None:
    check_whole(resnet18)
    assert [count.params for count in resnet18.tool_counts] == [11_689_512, 11_689_512, None]
    assert find(resnet18, "FlopCounterMode").differences == ()
    assert [count.place for count in resnet18.tool_counts] == ["meta", "cpu", "meta"]


def test_torchinfo_counts_biases_and_norms(resnet18: Comparison) -> None:
    channels = 64 * 5 + (128 + 256 + 512) * 5
    assert explain(find(resnet18, "torchinfo")) == {
        "weights and biases of normalisation count, times the batch": 2 * channels,
        "biases of linear layers count, times the first dimension": 1000,
    }


def test_fvcore_adds_norms_and_pools(resnet18: Comparison) -> None:
    # Values that normalisation reads: 64 channels on 32x32, then 4 on 16x16, and 5 on each smaller map.
    values = 64 * 32 * 32 + 4 * 64 * 16 * 16 + 5 * (128 * 8 * 8 + 256 * 4 * 4 + 512 * 2 * 2)
    found = explain(find(resnet18, "fvcore"))
    assert sorted(found.values()) == [512 * 2 * 2, 2 * values]


def test_inputs_by_keyword(tmp_path: Path) -> None:
    body = (
        "class Net(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.mix = nn.Linear(8, 4)\n"
        "    def forward(self, *, x):\n"
        "        return self.mix(x)\n"
    )
    found = compare_target(write_net(tmp_path, body), TraceOptions(inputs=(parse_input("x=2x5x8"),)))
    check_whole(found)
    assert found.macs == 2 * 5 * 8 * 4
    assert [count.macs for count in found.tool_counts] == [2 * (8 * 4 + 4), 320, 320]


def test_tokens_heads_and_convolutions(tmp_path: Path) -> None:
    body = (
        "class Net(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.stem = nn.Conv2d(3, 8, 2, stride=2)\n"
        "        self.mix = nn.Linear(8, 8)\n"
        "    def forward(self, x):\n"
        "        x = self.stem(x).flatten(2).transpose(1, 2)\n"
        "        x = self.mix(x)\n"
        "        return torch.softmax(x @ x.transpose(1, 2), -1) @ x\n"
    )
    found = compare_target(write_net(tmp_path, body), TraceOptions(inputs=(parse_input("1x3x8x8"),)))
    check_whole(found)
    tokens, inner = 4 * 4, 2 * 16 * 16 * 8
    assert found.macs == tokens * 8 * 3 * 4 + tokens * 8 * 8 + inner
    assert explain(find(found, "torchinfo")) == {
        "a weight is multiplied by the first output dimension only, not by every token": -15 * 8 * 8,
        "what forward itself multiplies is left out: only weights and biases of leaf layers count": -inner,
        "biases of convolutions count, once per output": tokens * 8,
        "biases of linear layers count, times the first dimension": 8,
    }
    assert find(found, "fvcore").differences == find(found, "FlopCounterMode").differences == ()


def test_attention_has_no_formula_in_fvcore(tmp_path: Path) -> None:
    body = (
        "class Net(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.mix = nn.Linear(8, 8)\n"
        "    def forward(self, x):\n"
        "        x = self.mix(x)\n"
        "        return nn.functional.scaled_dot_product_attention(x, x, x)\n"
    )
    found = compare_target(write_net(tmp_path, body), TraceOptions(inputs=(parse_input("1x2x16x8"),)))
    check_whole(found)
    assert explain(find(found, "fvcore")) == {"no formula for aten::scaled_dot_product_attention": -2 * 2 * 16 * 16 * 8}


def test_recurrent_layers_and_transposed_convolutions(tmp_path: Path) -> None:
    body = (
        "class Net(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.grow = nn.ConvTranspose1d(4, 3, 3)\n"
        "        self.read = nn.LSTM(3, 5, batch_first=True)\n"
        "    def forward(self, x):\n"
        "        return self.read(self.grow(x).transpose(1, 2))[0]\n"
    )
    found = compare_target(write_net(tmp_path, body), TraceOptions(inputs=(parse_input("2x4x6:float32"),)))
    check_whole(found)
    weights, recurrent = 4 * 3 * 3, 2 * 8 * 4 * 5 * (3 + 5)
    assert found.macs == 2 * 6 * weights + recurrent
    assert explain(find(found, "torchinfo")) == {
        "biases of convolutions count, once per output": 2 * 8 * 3,
        "a weight of a transposed convolution is multiplied by output positions, not by those of its input": 2
        * 2
        * weights,
        "biases of LSTM count, once per step": 2 * 8 * 2 * 4 * 5,
    }
    # fvcore multiplies a transposed weight by the input's positions, as we do.
    assert explain(find(found, "fvcore")) == {"no formula for aten::lstm": -recurrent}


def test_a_crash_is_a_row(monkeypatch: pytest.MonkeyPatch, resnet18: Comparison) -> None:
    def crash(runnable: Any) -> Any:
        raise RuntimeError("no\nway")

    broken = compare.Counter("fvcore", "fvcore", ("meta", "cpu"), crash, lambda observed, count: ())
    monkeypatch.setattr(compare, "COUNTERS", (broken,))
    found = compare_target("resnet20").tool_counts[0]
    assert found.error == "on meta: RuntimeError: no way; on cpu: RuntimeError: no way"
    text = render(build_table([compare_target("resnet20")]), "plain")
    assert "!! on meta: RuntimeError: no way" in text


def test_a_tool_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def miss(package: str) -> str:
        raise PackageNotFoundError(package)

    monkeypatch.setattr(compare, "version", miss)
    found = compare_target("resnet20")
    assert {count.error for count in found.tool_counts} == {
        "not installed: pip install torchinfo",
        "not installed: pip install fvcore",
        "not installed: pip install torch",
    }


def test_no_room_for_a_real_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """fvcore cannot trace LRN on meta, and the rows say both."""
    monkeypatch.setattr(subject, "read_free_memory", lambda: 1_000_000)
    found = find(compare_target("alexnet"), "fvcore")
    assert found.error.startswith(
        "not run on cpu: its parameters need 249,513,376 bytes, and 1,000,000 are free; on meta"
    )


def test_a_model_that_fails(tmp_path: Path) -> None:
    body = "class Net(nn.Sequential):\n    def __init__(self):\n        super().__init__(nn.Linear(8, 4))\n"
    with pytest.raises(ModelError, match="forward pass"):
        compare_target(write_net(tmp_path, body), TraceOptions(inputs=(parse_input("2x7:float32"),)))


def test_modules_that_forward_never_calls() -> None:
    found = compare_target("googlenet", TraceOptions(arguments={"aux": True}))
    check_whole(found)
    assert {count.params for count in found.tool_counts} <= {found.params, None}


def test_the_document(resnet18: Comparison) -> None:
    document: Any = encode(build_counters_document([resnet18]))
    jsonschema.validate(document, load_schema("counters"))
    assert document["schema"] == "archscope.counters/1"
    (model,) = document["models"]
    assert [counter["tool"] for counter in model["counters"]] == ["torchinfo", "fvcore", "FlopCounterMode"]
    assert all(counter["explained"] for counter in model["counters"])


def test_the_table(resnet18: Comparison) -> None:
    text = render(build_table([resnet18]), "plain")
    assert "FlopCounterMode" in text
    assert "the same" in text
    assert "fvcore calls one multiply-add one flop" in text


SHARED = (
    "class Net(nn.Module):\n"
    "    def __init__(self):\n"
    "        super().__init__()\n"
    "        self.first = nn.Linear(4, 4, bias=False)\n"
    "        self.second = nn.Linear(4, 4, bias=False)\n"
    "        self.second.weight = self.first.weight\n"
    "        self.spare = nn.Linear(4, 2)\n"
    "        self.scale = nn.Parameter(torch.ones(3))\n"
    "    def forward(self, x):\n"
    "        return self.second(self.first(x)) * self.scale[0]\n"
)


def test_differences_of_parameters(tmp_path: Path) -> None:
    """16 shared, 3 held by the root, 10 of a layer that is never called: 29."""
    found = compare_target(write_net(tmp_path, SHARED), TraceOptions(inputs=(parse_input("2x4:float32"),)))
    assert found.params == 29
    check_whole(found)
    trace = observe_target(found.target, TraceOptions(inputs=(parse_input("2x4:float32"),))).trace
    expected = {
        19: "modules that forward never calls are left out: spare",
        26: "parameters held by modules that call others are left out",
        45: "shared parameters are counted for each module that holds them: first, second",
        20: "unknown",
    }
    for theirs, cause in expected.items():
        (difference,) = explain_params(trace, theirs)
        assert (difference.macs, difference.cause, difference.explained) == (theirs - 29, cause, cause != "unknown")
    assert explain_params(trace, 29) == ()


def test_what_nothing_explains_is_said() -> None:
    observed = observe_target("resnet20")
    macs = 40_551_040
    kinds = {"convolution": macs, "product": 1, "estimate magic": 5}
    found = explain_kinds(observed, RawCount(None, macs + 6, "", by_kind=kinds), lambda name: True)
    assert {(item.macs, item.cause, item.explained) for item in found} == {
        (5, "it counts magic", False),
        (640, "convolution: unknown", False),
        (-639, "matrix product: unknown", False),
    }
    layers = {"nowhere": 7, "conv1": 3 * 16 * 9 * 32 * 32 + 1, "fc": 64 * 10 + 11, "bn1": 32}
    listed = {item.cause: item.macs for item in explain_layers(observed, RawCount(None, 0, "", by_layer=layers))}
    assert listed["layers that our trace did not see: unknown"] == 7
    assert listed["Conv2d: unknown"] == 1
    assert listed["Linear: unknown"] == 1
    assert listed["biases of linear layers count, times the first dimension"] == 10
    assert listed["weights and biases of normalisation count, times the batch"] == 32


def test_an_operation_without_a_formula() -> None:
    observed = observe_target("resnet20")
    found = explain_kinds(observed, RawCount(None, 640, "", by_kind={"product": 640}), lambda name: "addmm" in name)
    assert [(item.macs, item.cause) for item in found] == [
        (640 - 40_551_040, "no formula for aten.convolution (19 calls)")
    ]
