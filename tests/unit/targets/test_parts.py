"""Parts of what a file makes, modules without a forward of their own, and imports while forward runs."""

import sys
from pathlib import Path

import pytest
from torch import nn
from typer.testing import CliRunner

import archscope
from archscope.cli.app import app
from archscope.core.errors import ArchscopeError, TargetError, UnknownNameError
from archscope.targets.resolve import resolve_target

SOURCE = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(width, 8), nn.ReLU(), nn.Linear(8, 2))
        self.names = ["a"]

    def forward(self, x):
        return self.body(x)

class LightningModule(nn.Module):
    def forward(self, *args, **kwargs):
        return super().forward(*args, **kwargs)

class Lit(LightningModule):
    def __init__(self, width=4):
        super().__init__()
        self.network = Net(width)
        self.loss = nn.CrossEntropyLoss()

    def training_step(self, batch):
        return self.loss(self.network(batch), batch)

class Pair(nn.Module):
    def __init__(self):
        super().__init__()
        self.generator, self.critic = Net(), Net()

def make(width=4):
    return Net(width)

ready = Net(5)
lit = Lit(6)
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "net.py"
    path.write_text(SOURCE, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "arguments", "features", "macs"),
    [
        ("Net.body", {}, 4, 4 * 8 + 8 * 2),
        ("Net.body.0", {"width": 6}, 6, 6 * 8),
        ("make.body.2", {}, 8, 8 * 2),
        ("ready.body.0", {}, 5, 5 * 8),
        ("Lit.network", {"width": 3}, 3, 3 * 8 + 8 * 2),
        ("Lit", {}, 4, 4 * 8 + 8 * 2),
        ("Lit", {"width": 7}, 7, 7 * 8 + 8 * 2),
        ("lit", {}, 6, 6 * 8 + 8 * 2),
        ("Pair.critic", {}, 4, 4 * 8 + 8 * 2),
    ],
)
def test_parts_and_networks_are_traced(
    file: Path, name: str, arguments: dict[str, int], features: int, macs: int
) -> None:
    summary = archscope.trace(f"{file}:{name}", arguments=arguments, inputs=f"1x{features}")
    assert summary.macs == macs


def test_the_note_names_the_network(file: Path) -> None:
    target = resolve_target("net.py:Lit", {})
    assert target.title == "Lit.network"
    assert "Lit has no forward of its own: Lit.network, the network that it holds, is traced" in target.notes


def test_a_module_given_from_python_is_entered_too(file: Path) -> None:
    lit = resolve_target("net.py:make", {}).build()
    outer = nn.Module()
    outer.inner = lit
    assert archscope.trace(outer, archscope_input(4)).macs == 4 * 8 + 8 * 2


def archscope_input(features: int) -> object:
    import torch

    return torch.zeros(1, features)


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("Pair", TargetError, ["no forward of its own", "net.py:Pair.generator or net.py:Pair.critic"]),
        ("Net.bodi", UnknownNameError, ["bodi", "body"]),
        ("Net.names", TargetError, ["a list", "not a torch.nn.Module"]),
        ("Net.body.9", UnknownNameError, ["body.9"]),
        ("Nett.body", UnknownNameError, ["Nett", "Net"]),
    ],
)
def test_parts_that_do_not_exist_say_which_do(
    file: Path, name: str, kind: type[ArchscopeError], words: list[str]
) -> None:
    with pytest.raises(kind) as caught:
        resolve_target(f"net.py:{name}", {}).build()
    told = f"{caught.value.message} {caught.value.remedy}"
    assert [word for word in words if word not in told] == []
    assert CliRunner().invoke(app, ["trace", f"net.py:{name}", "--input", "1x4"]).exit_code == 2


LATE = """
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
    def forward(self, x):
        import late_sibling
        from late_package import part
        return self.conv(x).mean((2, 3)) * late_sibling.FACTOR * part.FACTOR
"""


@pytest.fixture
def late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "apart"
    (folder / "late_package").mkdir(parents=True)
    (folder / "net.py").write_text(LATE, encoding="utf-8")
    (folder / "late_sibling.py").write_text("FACTOR = 2\n", encoding="utf-8")
    (folder / "late_package" / "__init__.py").write_text("", encoding="utf-8")
    (folder / "late_package" / "part.py").write_text("FACTOR = 3\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.mark.parametrize(
    "words",
    [
        ["trace"],
        ["trace", "--mode", "fake"],
        ["trace", "--mode", "real"],
        ["table"],
        ["fit", "--batch", "2"],
        ["fit", "--batch", "2", "--train"],
        ["verify", "--counters"],
        ["bench", "--seconds", "0.1", "--batch", "1"],
    ],
)
def test_forward_may_import_what_lies_beside_the_file(late: Path, words: list[str]) -> None:
    before = (list(sys.path), list(sys.argv), set(sys.modules))
    result = CliRunner().invoke(app, [words[0], *words[1:], f"{late}/net.py:Net", "--input", "3x8x8"])
    assert result.exit_code == 0, result.output
    assert "late_sibling" not in result.output
    assert (list(sys.path), list(sys.argv)) == before[:2]
    assert not [name for name in set(sys.modules) - before[2] if name.startswith("late_")]


def test_a_quoted_tilde_is_the_home_folder(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(file.parent))
    summary = archscope.trace("~/net.py:Net", inputs="1x4")
    assert summary.macs == 4 * 8 + 8 * 2
    summary.save(file.parent / "saved.json")
    assert archscope.load("~/saved.json").macs == summary.macs
    assert archscope.trace("~/saved.json").macs == summary.macs


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("zoo.deep.net.Net", "zoo.deep.net:Net"),
        ("zoo.deep.net.Net.body", "zoo.deep.net:Net.body"),
        ("zoo.deep.nets.Net", "zoo.deep.net:Net"),
        ("zoo.deep.net", "zoo.deep.net:Net"),
        ("torch.nn.modules.linear.Linear", "torch.nn.modules.linear:Linear"),
    ],
)
def test_dotted_names_are_corrected_and_run_nothing(file: Path, text: str, near: str) -> None:
    folder = file.parent / "zoo" / "deep"
    folder.mkdir(parents=True)
    (file.parent / "zoo" / "__init__.py").write_text("raise RuntimeError('run')", encoding="utf-8")
    (folder / "__init__.py").write_text("", encoding="utf-8")
    (folder / "net.py").write_text(SOURCE, encoding="utf-8")
    with pytest.raises(UnknownNameError) as caught:
        resolve_target(text, {})
    assert near in caught.value.remedy


@pytest.mark.parametrize(
    ("pattern", "name", "others"),
    [("timm:resnet1*", "timm:resnet18", 0), ("torchvision:VGG1?", "torchvision:vgg16", 3), ("hf:bert", "hf:bert", 0)],
)
def test_models_of_other_packages_are_listed(pattern: str, name: str, others: int) -> None:
    pytest.importorskip({"hf": "transformers"}.get(pattern.partition(":")[0], pattern.partition(":")[0]))
    names = [row.name for row in archscope.list_models(pattern)]
    assert name in names
    assert not others or len(names) == others + 1  # vgg11, vgg13, vgg16, vgg19
    with pytest.raises(UnknownNameError):
        archscope.list_models(f"{pattern.partition(':')[0]}:nothing_like_it")
    with pytest.raises(UnknownNameError, match="unknown origin"):
        archscope.list_models("tim:*")


def test_build_takes_every_kind_of_target(file: Path) -> None:
    assert type(archscope.build("net.py:Net", width=6)).__name__ == "Net"
    assert type(archscope.build("net:Net")).__name__ == "Net"
    assert isinstance(archscope.build("torch.nn:Linear", in_features=3, out_features=2), nn.Linear)
    assert type(archscope.build("resnet18", num_classes=10)).__name__ == "ResNet"
    with pytest.raises(ArchscopeError, match="saved trace"):
        archscope.build("trace.json")
    timm = pytest.importorskip("timm")
    module = archscope.build("timm:resnet18", num_classes=7)
    assert type(module) is type(timm.create_model("resnet18"))
    assert sum(item.numel() for item in module.parameters()) == 11_689_512 - 993 * 513
