"""Modules whose attributes hide methods of `nn.Module`: every command treats them as their twins that hide nothing."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from typer.testing import CliRunner

import archscope
from archscope import modules
from archscope.cli.app import app

SHADOWED = """
from torch import nn

METHODS = [
    name
    for name, value in vars(nn.Module).items()
    if callable(value) and not name.startswith("_") and name != "forward"
]


def hide_methods(module):
    for name in METHODS:
        module.__dict__[name] = [name]


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.drop = nn.Dropout(0.1)
        hide_methods(self)

    def forward(self, x):
        return self.drop(self.norm(self.conv(x)).relu())


class ByClass(nn.Module):
    modules = "a word"
    parameters = None
    train = False
    to = ()
    state_dict = {}

    @property
    def children(self):
        return []

    def named_modules(self, wanted):
        return wanted

    def __init__(self, num_classes):
        super().__init__()
        self.block = Block()
        self.fc = nn.Linear(8, num_classes)

    def forward(self, x):
        return self.fc(self.block(x).mean((2, 3)))


class Net(nn.Module):
    def __init__(self, num_classes=10):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3)
        self.body = ByClass(num_classes)
        hide_methods(self)

    def forward(self, x):
        return self.body(self.stem(x))
"""
PARAMS = (8 * 27 + 8) + (8 * 72 + 8) + 2 * 8 + (8 * 10 + 10)
MACS = 900 * 8 * 27 + 900 * 8 * 72 + 8 * 10  # of one 32x32 image: 30x30 positions, then the class scores


@pytest.fixture
def target(tmp_path: Path) -> str:
    (tmp_path / "hidden.py").write_text(SHADOWED)
    return f"{tmp_path / 'hidden.py'}:Net"


@pytest.fixture
def net(target: str) -> nn.Module:
    names: dict[str, Any] = {}
    exec(SHADOWED, names)
    made: nn.Module = names["Net"]()
    return made


@pytest.mark.parametrize("mode", ["meta", "fake", "real"])
def test_an_instance_is_traced(net: nn.Module, mode: Any) -> None:
    summary = archscope.trace(net, torch.zeros(1, 3, 32, 32), mode=mode)
    assert (summary.trace.totals.params, summary.costs.macs) == (PARAMS, MACS)
    assert [layer.path for layer in summary.trace.layers] == [
        "", "stem", "body", "body.block", "body.block.conv", "body.block.norm", "body.block.drop", "body.fc",
    ]  # fmt: skip
    assert net.__dict__["modules"] == ["modules"]


@pytest.mark.parametrize("training", [True, False])
def test_the_flag_reaches_every_part(net: nn.Module, training: bool) -> None:
    summary = archscope.trace(net, torch.zeros(2, 3, 32, 32), training=training)
    drops = [op.name for op in summary.trace.ops if op.name in ("aten.native_dropout", "aten.bernoulli_")]
    assert summary.trace.training is training
    assert bool(drops) is training


def test_table_and_explain(target: str) -> None:
    table = archscope.table(target, inputs="3x32x32")
    assert f"{MACS:,}" in str(table)
    assert "900 * 8" in str(archscope.explain(target, "stem", inputs="3x32x32")) or "30 * 30 * 8" in str(
        archscope.explain(target, "stem", inputs="3x32x32")
    )


def test_fit(target: str) -> None:
    found = archscope.fit(target, batch=2, training=True, inputs="3x32x32")
    assert found.fit.prediction.parameter_bytes == 4 * PARAMS
    assert found.fit.prediction.gradient_bytes == 4 * PARAMS


@pytest.mark.parametrize("words", [["--inference"], []])
def test_bench(target: str, words: list[str]) -> None:
    result = CliRunner().invoke(
        app, ["bench", target, "--input", "3x32x32", "--device", "cpu", "--format", "json", "--layers", *words]
    )
    assert result.exit_code == 0, result.output
    assert '"error": null' in result.stdout or "failed" not in result.stdout


def test_training_is_checked(net: nn.Module) -> None:
    torch.manual_seed(0)
    findings = archscope.check_training(net, (torch.randn(16, 3, 32, 32), torch.arange(16) % 10), seconds=5)
    assert not [finding for finding in findings if finding.code in ("untrained", "no-gradient", "frozen")]
    assert net.__dict__["train"] == ["train"]


def test_methods_that_a_class_overrides_are_called() -> None:
    class Frozen(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.BatchNorm1d(4)

        def train(self, mode: bool = True) -> "Frozen":  # noqa: FBT002  as torch has it
            super().train(mode)
            self.norm.eval()
            return self

    class Holder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.frozen = Frozen()
            self.modules = []  # type: ignore[assignment]

    holder = Holder().eval()
    modules.set_training(holder)
    assert (holder.training, holder.frozen.training, holder.frozen.norm.training) == (True, True, False)
    with modules.keep_training_flags(holder):
        modules.set_training(holder, False)
    assert holder.frozen.training
    assert type(holder) is Holder
    assert holder.__dict__["modules"] == []


def test_weights_are_saved_moved_and_loaded(net: nn.Module) -> None:
    state = modules.call_method(net, "state_dict")
    assert list(state) == [name for name, _ in (*modules.name_parameters(net), *modules.name_buffers(net))] or set(
        state
    ) == {name for name, _ in (*modules.name_parameters(net), *modules.name_buffers(net))}
    modules.call_method(net, "load_state_dict", state)
    modules.call_method(net, "to", torch.float64)
    assert {tensor.dtype for tensor in modules.iterate_parameters(net)} == {torch.float64}


@pytest.mark.parametrize("name", ["densenet121", "vit_b_16", "swin_t"])
def test_the_lists_are_those_of_torch(name: str) -> None:
    models = pytest.importorskip("torchvision.models")
    with torch.device("meta"):
        model = models.get_model(name)
    model.add_module("again", next(iter(model.children())))

    def read(pairs: Any) -> list[tuple[str, int]]:
        return [(path, id(item)) for path, item in pairs]

    assert read(modules.name_modules(model)) == read(model.named_modules())
    assert read(modules.name_parameters(model)) == read(model.named_parameters())
    assert read(modules.name_buffers(model)) == read(model.named_buffers())
    assert [*map(id, modules.iterate_modules(model))] == [*map(id, model.modules())]
    assert [*map(id, modules.iterate_parameters(model))] == [*map(id, model.parameters())]
    assert [*map(id, modules.iterate_buffers(model))] == [*map(id, model.buffers())]
    assert modules.find_module(model, "again") is model.get_submodule("again")
