"""A model of one's own against a network of the papers: names and nesting do not matter, what it computes does."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from typer.testing import CliRunner

import archscope
from archscope.cli.app import app
from archscope.core.errors import ModelError, UnknownNameError, UsageError

FUNCTIONAL = '''
import torch.nn.functional as F
from torch import nn

class Step(nn.Module):
    def __init__(self, reads, makes):
        super().__init__()
        self.w = nn.Conv2d(reads, makes, 3, padding=1)

    def forward(self, x):
        return F.relu(self.w(x))

class Net(nn.Module):
    """VGG-11 (column A), with pools as functions and names of its own."""

    ROW = [64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"]

    def __init__(self, bias=True, scores=1000):
        super().__init__()
        widths = [3] + [word for word in self.ROW if word != "M"]
        self.steps = nn.ModuleList(Step(*pair) for pair in zip(widths, widths[1:]))
        self.one, self.two = nn.Linear(512 * 7 * 7, 4096, bias=bias), nn.Linear(4096, 4096)
        self.three = nn.Linear(4096, scores)

    def forward(self, x):
        steps = iter(self.steps)
        for word in self.ROW:
            x = F.max_pool2d(x, 2) if word == "M" else next(steps)(x)
        return self.three(F.relu(self.two(F.relu(self.one(x.flatten(1))))))

class Wide(Net):
    def __init__(self):
        super().__init__()
        self.steps[2].w = nn.Conv2d(128, 256, 5, padding=2)

class Upsampled(Net):
    """As many parameters, other MACs: the first layer works at twice the size, the second halves it."""

    def __init__(self):
        super().__init__()
        self.steps[1].w = nn.Conv2d(64, 128, 3, padding=1, stride=2)

    def forward(self, x):
        return super().forward(F.interpolate(x, scale_factor=2))

class Deep(Net):
    ROW = [64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, 512, "M"]

class Pooled(Net):
    """Shapes, parameters and MACs of VGG-11, but windows of 3x3 that section 2.1 does not have."""

    def forward(self, x):
        steps = iter(self.steps)
        for word in self.ROW:
            x = F.max_pool2d(x, 3, 2, 1) if word == "M" else next(steps)(x)
        return self.three(F.relu(self.two(F.relu(self.one(x.flatten(1))))))
'''


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "net.py"
    path.write_text(FUNCTIONAL, encoding="utf-8")
    return path


def compare(target: str, name: str, **options: Any) -> dict[str, Any]:
    return archscope.verify(target, against=name, **options).to_dict()


def find_differences(document: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    found = {
        item["id"]: (item["published"], item["measured"])
        for item in document["figures"]
        if item["verdict"] == "differs"
    }
    parts = [*document["totals"], *document["layers"]]
    found |= {
        f"{item['theirs']} {item['quantity']}".strip(): (item["expected"], item["measured"])
        for item in parts
        if item["verdict"] == "differs"
    }
    return found


def test_names_and_nesting_do_not_matter(file: Path) -> None:
    document = compare("net.py:Net", "vgg11")
    assert document["kept"]
    assert find_differences(document) == {}
    held = {item["id"] for item in document["figures"] if item["verdict"] == "holds"}
    layers = ["conv1_1", "conv2_1", "conv3_1", "conv3_2", "conv4_1", "conv4_2", "conv5_1", "conv5_2"]
    assert {f"vgg.t1.A.{name}" for name in (*layers, *(f"pool{n}" for n in range(1, 6)), "fc6", "fc7", "fc8")} <= held
    assert "vgg.t2.A.params" in held
    assert {(item["place"], item["theirs"]) for item in document["layers"]} >= {("features.0", "steps.0.w")}
    silent = [item for item in document["figures"] if item["verdict"] == "not comparable"]
    assert silent
    assert all(item["reason"] and item["measured"] is None for item in silent)


def test_a_wider_kernel_is_found(file: Path) -> None:
    more = 256 * 128 * (5 * 5 - 3 * 3)
    found = find_differences(compare("net.py:Wide", "vgg11"))
    assert found["vgg.t1.A.conv3_1"] == ("conv3-256", "conv5-256")
    assert found["parameters"] == (132_863_336, 132_863_336 + more)
    assert found["steps.2.w weight"] == ([256, 128, 3, 3], [256, 128, 5, 5])
    assert found["steps.2.w MACs"] == (256 * 128 * 9 * 56 * 56, 256 * 128 * 25 * 56 * 56)
    assert found["MACs"][1] - found["MACs"][0] == more * 56 * 56
    assert len(found) == 5


def test_other_work_with_the_same_parameters_is_found(file: Path) -> None:
    found = find_differences(compare("net.py:Upsampled", "vgg11"))
    macs = 64 * 3 * 9 * 224 * 224
    assert found.pop("steps.0.w output") == ([1, 64, 224, 224], [1, 64, 448, 448])
    assert found.pop("steps.0.w MACs") == (macs, 4 * macs)
    expected, measured = found.pop("MACs")
    assert measured - expected == 3 * macs
    assert found == {}


def test_windows_of_pools_are_measured(file: Path) -> None:
    found = find_differences(compare("net.py:Pooled", "vgg11"))
    assert found == {f"vgg.t1.A.pool{n}": ("maxpool", "maxpool 3x3/2") for n in range(1, 6)}


def test_a_layer_too_many_is_found(file: Path) -> None:
    found = find_differences(compare("net.py:Deep", "vgg11"))
    assert found["vgg.t1.A.weight_layers"] == ("11 weight layers", "12")
    extra = [key for key, (expected, _) in found.items() if expected is None]
    assert [key.partition(" ")[2] for key in extra] == ["output", "weight", "MACs"]


def test_biases_and_scores_are_counted(file: Path) -> None:
    found = find_differences(compare("net.py:Net", "vgg11", arguments={"bias": False}))
    assert found == {"parameters": (132_863_336, 132_863_336 - 4096)}
    found = find_differences(compare("net.py:Net", "vgg11", arguments={"scores": 10}))
    assert found["vgg.t1.A.fc8"] == ("FC-1000", "FC-10")
    assert found["three weight"] == ([1000, 4096], [10, 4096])


@pytest.mark.parametrize(
    "name",
    ["alexnet", "alexnet_2012", "vgg16", "vgg19", "vgg11_lrn", "googlenet", "resnet18", "resnet34", "resnet50",
     "resnet50_v1", "resnet56"],
)  # fmt: skip
def test_a_network_holds_against_itself(name: str) -> None:
    document = compare(name, name)
    assert document["kept"]
    assert find_differences(document) == {}
    assert any(item["verdict"] == "holds" for item in document["figures"])


RESIDUAL = """
import archscope
from torch import nn

class Net(nn.Module):
    # ResNet-18 with a stem and a body of its own names and nesting

    def __init__(self):
        super().__init__()
        parts = archscope.build("resnet18")
        self.stem = nn.Sequential(parts.conv1, parts.bn1, nn.ReLU(), parts.maxpool)
        self.body = nn.Sequential(parts.layer1, parts.layer2, parts.layer3, parts.layer4)
        self.head = parts.fc

    def forward(self, x):
        return self.head(self.body(self.stem(x)).mean((2, 3)))

class Short(Net):
    def __init__(self):
        super().__init__()
        del self.body[1][1]

class Long(Net):
    def __init__(self):
        super().__init__()
        self.body[1].append(archscope.build("resnet18").layer2[1])
"""


@pytest.mark.parametrize(
    ("name", "blocks"), [("Net", None), ("Short", "[3x3, 128; 3x3, 128] x1"), ("Long", "[3x3, 128; 3x3, 128] x3")]
)
def test_blocks_are_counted_in_whatever_nesting(tmp_path: Path, name: str, blocks: str | None) -> None:
    (tmp_path / "own.py").write_text(RESIDUAL, encoding="utf-8")
    document = compare(f"{tmp_path}/own.py:{name}", "resnet18")
    found = find_differences(document)
    held = {item["id"] for item in document["figures"] if item["verdict"] == "holds"}
    assert {"resnet.t1.18.conv1", "resnet.t1.18.conv3_x.output", "resnet.t1.18.conv5_x.blocks"} <= held
    if blocks is None:
        assert found == {}
        return
    printed, measured = found["resnet.t1.18.conv3_x.blocks"]
    assert (measured.replace(" ", ""), printed == measured) == (blocks.replace(" ", ""), False)


@pytest.mark.parametrize(
    ("target", "name", "kept"),
    [
        ("torchvision:vgg16", "vgg16", True),
        ("torchvision:vgg16_bn", "vgg16", False),
        ("torchvision:vgg13", "vgg16", False),
        ("torchvision:resnet18", "resnet18", True),
        ("torchvision:resnet50", "resnet50", True),
        ("torchvision:resnet50", "resnet50_v1", False),
        ("torchvision:alexnet", "alexnet", False),
        ("torchvision:googlenet", "googlenet", False),
    ],
)
def test_other_peoples_models(target: str, name: str, kept: bool) -> None:
    pytest.importorskip("torchvision")
    assert compare(target, name)["kept"] is kept


def test_the_stride_of_torchvision_s_resnet_is_found() -> None:
    pytest.importorskip("torchvision")
    found = find_differences(compare("torchvision:resnet50", "resnet50_v1"))
    # conv1 of the first block of each later stage runs before the stride: 4 times the pixels, and conv2 as many
    assert found["layer2.0.conv1 output"] == ([1, 128, 28, 28], [1, 128, 56, 56])
    assert found["resnet.t1.50.flops"][0] == "3.8x10^9"


def test_fully_connected_layers_as_convolutions() -> None:
    pytest.importorskip("timm")
    assert find_differences(compare("timm:vgg11", "vgg11")) == {}


def test_a_module_from_python_is_left_as_it_was(file: Path) -> None:
    module = archscope.build("net.py:Net")
    before = {name: value.clone() for name, value in module.state_dict().items()}
    report = archscope.verify(module, against="vgg11")
    assert not report.failed
    assert module.training
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


@pytest.mark.parametrize(("name", "code"), [("Net", 0), ("Wide", 1)])
def test_the_command_s_exit_code_in_every_format(file: Path, name: str, code: int) -> None:
    for word in ("table", "plain", "json", "csv", "md", "tex", "github"):
        result = CliRunner().invoke(app, ["verify", f"net.py:{name}", "--against", "vgg11", "--format", word])
        assert result.exit_code == code, result.output
        if word == "json":
            assert json.loads(result.stdout)["schema"] == "archscope.against/1"
        if word == "csv":
            rows = list(csv.DictReader(io.StringIO(result.stdout)))
            assert {row["verdict"] for row in rows} <= {"holds", "differs", "not comparable"}
            assert any(row["expected"] == "132863336" for row in rows)
        if word == "github":
            assert ("::error" in result.stdout) is (code == 1)
        if word == "table":
            assert max(map(len, result.stdout.split("\n\n")[1].splitlines())) <= 80
            assert "not comparable (" in result.stdout


def test_mistakes(file: Path) -> None:
    with pytest.raises(UnknownNameError, match="vgg111"):
        archscope.verify("net.py:Net", against="vgg111")
    with pytest.raises(UsageError, match="no model is given"):
        archscope.verify(against="vgg11")
    with pytest.raises(UsageError):
        archscope.verify(nn.Linear(2, 2))  # whose figures?
    with pytest.raises(UsageError):
        archscope.verify("vgg11", inputs="32")
    with pytest.raises(ModelError, match="input of resnet20") as caught:
        archscope.verify("net.py:Net", against="resnet20")
    assert caught.value.exit_code == 3
    for words in (["--verdict", "wrong"], ["--counters"]):
        assert CliRunner().invoke(app, ["verify", "net.py:Net", "--against", "vgg11", *words]).exit_code == 2
