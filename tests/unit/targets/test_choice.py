"""A file alone as a target: the model that is meant, and the question where that could be one or another."""

import json
from pathlib import Path

import pytest
import torch

from archscope.core.errors import TargetError
from archscope.targets.resolve import resolve_target

HEAD = "import torch\nfrom torch import nn\n"


def write_class(name: str, body: str, base: str = "nn.Module", signature: str = "self") -> str:
    return (
        f"class {name}({base}):\n    def __init__({signature}):\n        super().__init__()\n        {body}\n"
        "    def forward(self, x):\n        return x\n"
    )


BLOCK = write_class("Block", "self.fc = nn.Linear(width, width)", signature="self, width=4")  # 20 parameters
NET = write_class("Net", "self.parts = nn.Sequential(Block(), Block(), Block())")  # 60
HELPER = write_class("Squeeze", "self.fc = nn.Linear(2, 2)")  # 6, used by nobody
LATE = "model = Net()\n"


@pytest.mark.parametrize(
    ("source", "arguments", "chosen", "params"),
    [
        (BLOCK + NET, {}, "Net", 3 * 20),
        (NET + BLOCK, {}, "Net", 3 * 20),
        (BLOCK + HELPER + NET, {}, "Net", 3 * 20),
        (BLOCK + NET + LATE, {}, "Net", 3 * 20),
        (BLOCK + NET + "def make():\n    return Net()\n", {}, "Net", 3 * 20),
        (BLOCK + NET + "if True:\n    model = nn.Linear(30, 30)\n", {}, "model", 930),
        ("model = nn.Sequential(nn.Linear(3, 3))\nalias = model\n", {}, "model", 12),
        (BLOCK + "class Wide(Block):\n    def __init__(self):\n        super().__init__(9)\n", {}, "Wide", 90),
        # a constructor that reads values fails on meta
        (HELPER + write_class("Deep", "self.fc = nn.Linear(int(torch.linspace(3, 7, 2)[1].item()), 5)"),
         {}, "Deep", 40),
        # its class needs arguments, which a function gives
        (BLOCK + write_class("Base", "self.parts = nn.Sequential(*[Block() for _ in range(n)])", signature="self, n")
         + "def small():\n    net = Base(2)\n    return net\n", {}, "small", 40),
        (BLOCK + "def annotated(n: int = 5) -> nn.Module:\n    net = nn.Sequential()\n    net.append(nn.Linear(n, n))\n"
         "    return (net)\n\ndef other() -> int:\n    return 3\n", {}, None, 0),
        (write_class("Sized", "self.fc = nn.Linear(n, n)", signature="self, n"), {"n": 6}, "Sized", 42),
        (write_class("Sized", "self.fc = nn.Linear(n, n)", signature="self, n") + "made = Sized(3)\n",
         {"n": 6}, "Sized", 42),
        (BLOCK + NET + "def train(model=None):\n    other = Net()\n", {}, "Net", 60),
    ],
)  # fmt: skip
def test_the_model_is_chosen(
    tmp_path: Path, source: str, arguments: dict[str, int], chosen: str | None, params: int
) -> None:
    path = tmp_path / "net.py"
    path.write_text(HEAD + source, encoding="utf-8")
    if chosen is None:
        with pytest.raises(TargetError, match="equally plausible") as caught:
            resolve_target(str(path), arguments)
        assert "annotated (a function, 30 parameters)" in caught.value.remedy
        assert "other" not in caught.value.remedy
        return
    target = resolve_target(str(path), arguments)
    assert target.text == f"{path}:{chosen}"
    assert sum(item.numel() for item in target.build().parameters()) == params
    assert any(f"took {chosen}, the model of" in note for note in target.notes)


def test_two_that_are_equally_plausible_are_listed_with_all_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    twin = write_class("Twin", "self.fc = nn.Linear(6, 7)")  # 49 < 60 <= 2 * 49
    makers = "ready = nn.Linear(5, 5)\ndef make():\n    return nn.Linear(5, 6)\n"
    path.write_text(HEAD + BLOCK + NET + twin + makers, encoding="utf-8")
    with pytest.raises(TargetError, match="names a file, not a model") as caught:
        resolve_target(str(path), {})
    assert caught.value.exit_code == 2
    assert caught.value.remedy.splitlines() == [
        "write one of them:",
        f"{path}:Net (60 parameters)",
        f"{path}:Twin (49 parameters)",
        f"{path}:make (a function, 36 parameters)",
        f"{path}:ready (an instance, 30 parameters)",
        f"{path}:Block (20 parameters)",
    ]


def test_a_model_twice_as_large_stands_out(tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    path.write_text(HEAD + BLOCK + NET + write_class("Half", "self.fc = nn.Linear(5, 5)"), encoding="utf-8")
    assert resolve_target(str(path), {}).text == f"{path}:Net"  # 60 = 2 * 30


def test_functions_of_one_family_are_a_question(tmp_path: Path) -> None:
    base = write_class("Base", "self.parts = nn.Sequential(*[nn.Linear(4, 4) for _ in range(n)])", signature="self, n")
    path = tmp_path / "net.py"
    path.write_text(
        f"{HEAD}{base}def small():\n    return Base(1)\ndef large():\n    return Base(9)\n", encoding="utf-8"
    )
    with pytest.raises(TargetError) as caught:
        resolve_target(str(path), {})
    assert f"{path}:large (a function, 180 parameters)" in caught.value.remedy
    assert f"{path}:Base (needs arguments)" in caught.value.remedy


def test_one_that_needs_arguments_says_which(tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    path.write_text(HEAD + write_class("Sized", "self.fc = nn.Linear(n, n)", signature="self, n"), encoding="utf-8")
    with pytest.raises(TargetError, match=r"Sized of .* needs the argument n") as caught:
        resolve_target(str(path), {})
    assert "--arg n=VALUE" in caught.value.remedy


def test_a_file_without_models_says_so(tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    path.write_text("x = 1\n", encoding="utf-8")
    with pytest.raises(TargetError, match=r"defines no torch\.nn\.Module"):
        resolve_target(str(path), {})


def test_choosing_draws_no_random_numbers(tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    path.write_text(HEAD + BLOCK + NET, encoding="utf-8")
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    resolve_target(str(path), {})
    assert torch.rand(1) == expected


def test_notebooks_are_run_up_to_their_last_class(tmp_path: Path) -> None:
    cells = [HEAD + BLOCK, NET, "raise RuntimeError('training')"]
    path = tmp_path / "lab.ipynb"
    listed = [{"cell_type": "code", "source": cell.splitlines(keepends=True)} for cell in cells]
    path.write_text(json.dumps({"cells": listed, "metadata": {}, "nbformat": 4}), encoding="utf-8")
    assert resolve_target(str(path), {}).text == f"{path}:Net"


def test_a_colon_without_a_name_is_a_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    path.write_text(
        "from torch import nn\nclass Net(nn.Sequential):\n    def __init__(self):\n"
        "        super().__init__(nn.Linear(3, 2))\n"
    )
    for text in (str(path), f"{path}:"):
        assert resolve_target(text, {}).text == f"{path}:Net"
