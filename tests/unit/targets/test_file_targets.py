"""Targets from files, notebooks and importable modules: what works, and what each mistake says."""

import json
from pathlib import Path

import pytest
from torch import nn

from archscope.api.calls import trace_target
from archscope.core.errors import ArchscopeError, UnknownNameError
from archscope.core.words import TraceOptions, parse_input
from archscope.targets.resolve import resolve_target

SOURCE = """
import torch
from torch import nn

print("loading")

class Net(nn.Module):
    def __init__(self, width=4, depth=1):
        super().__init__()
        self.layers = nn.Sequential(*(nn.Linear(width, width) for _ in range(depth)))

    def forward(self, x):
        return self.layers(x)

class Needs(nn.Module):
    def __init__(self, width, height):
        super().__init__()

class Fails(nn.Module):
    def __init__(self):
        raise ValueError("no luck")

class Holder:
    class Inner(Net):
        pass

def make(width=3):
    return Net(width)

def wrong():
    return 7

ready = Net(5)
number = 7

if __name__ == "__main__":
    raise SystemExit("run as a script")
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "lecture.py"
    path.write_text(SOURCE, encoding="utf-8")
    return path


def options(*inputs: str, **arguments: object) -> TraceOptions:
    return TraceOptions(arguments=arguments, inputs=tuple(parse_input(text) for text in inputs))


@pytest.mark.parametrize(
    ("name", "arguments", "macs"),
    [
        ("Net", {}, 16),
        ("Net", {"width": 6, "depth": 2}, 2 * 36),
        ("Holder.Inner", {"width": 2}, 4),
        ("make", {}, 9),
        ("ready", {}, 25),
    ],
)
def test_classes_factories_and_instances_trace(file: Path, name: str, arguments: dict[str, int], macs: int) -> None:
    width = {"Net": 4, "Holder.Inner": 2, "make": 3, "ready": 5}[name]
    width = arguments.get("width", width)
    summary = trace_target(f"{file}:{name}", options(f"x=1x{width}", **arguments))
    assert summary.costs.macs == macs
    assert any("lecture.py" in note for note in summary.trace.notes)


def test_what_a_file_prints_does_not_reach_stdout(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    resolve_target(f"{file}:Net", {})
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "loading" in captured.err


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("", {}, ["not a model", ":Net"]),
        ("Nett", {}, ["Nett", "Net"]),
        ("number", {}, ["not a model"]),
        ("Holder", {}, ["no torch.nn.Module"]),
        ("Needs", {}, ["width", "height"]),
        ("Net", {"widht": 3}, ["widht", "width"]),
        ("ready", {"width": 3}, ["exists already"]),
    ],
)
def test_mistakes_are_one_clear_error(file: Path, name: str, arguments: dict[str, int], words: list[str]) -> None:
    text = f"{file}:{name}" if name else str(file)
    with pytest.raises(ArchscopeError) as caught:
        resolve_target(text, arguments).build()
    told = f"{caught.value.message} {caught.value.remedy}"
    assert caught.value.exit_code == 2
    assert [word for word in words if word not in told] == []


@pytest.mark.parametrize(("name", "word"), [("Fails", "no luck"), ("wrong", "not a")])
def test_a_constructor_that_fails_says_how(file: Path, name: str, word: str) -> None:
    with pytest.raises(ArchscopeError) as caught:
        resolve_target(f"{file}:{name}", {}).build()
    assert word in f"{caught.value.message} {caught.value.remedy}"


@pytest.mark.parametrize(
    ("source", "word"),
    [("import nowhere_to_be_found\n", "nowhere_to_be_found"), ("x = 1 / 0\n", "ZeroDivisionError"),
     ("def f(:\n", "line 1"), ("raise SystemExit(3)\n", "SystemExit")],
)  # fmt: skip
def test_a_file_that_fails_when_run_says_where(tmp_path: Path, source: str, word: str) -> None:
    path = tmp_path / "broken.py"
    path.write_text(source, encoding="utf-8")
    with pytest.raises(ArchscopeError) as caught:
        resolve_target(f"{path}:Net", {})
    told = f"{caught.value.message} {caught.value.remedy}"
    assert "broken.py" in told
    assert word in told or "SyntaxError" in told


def test_a_missing_file_suggests_its_neighbours(file: Path) -> None:
    with pytest.raises(ArchscopeError) as caught:
        resolve_target(f"{file.parent}/lectur.py:Net", {})
    assert "lecture.py" in caught.value.remedy
    with pytest.raises(ArchscopeError, match="no file"):
        resolve_target(f"{file.parent}/nowhere/x.py:Net", {})


def test_loading_twice_and_a_changed_file(file: Path) -> None:
    first = resolve_target(f"{file}:Net", {}).build()
    file.write_text(SOURCE.replace("width=4", "width=8"), encoding="utf-8")
    second = resolve_target(f"{file}:Net", {}).build()
    assert [sum(p.numel() for p in module.parameters()) for module in (first, second)] == [20, 72]


def write_notebook(path: Path, *cells: str) -> Path:
    document = {
        "cells": [{"cell_type": "markdown", "source": ["# title"]}]
        + [{"cell_type": "code", "source": cell.splitlines(keepends=True)} for cell in cells],
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {},
    }
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def test_notebooks_run_up_to_the_cell_that_defines_the_object(tmp_path: Path) -> None:
    path = write_notebook(
        tmp_path / "lab.ipynb",
        "%matplotlib inline\n!pip list\nimport torch\nfrom torch import nn",
        "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.fc = nn.Linear(4, 2)\n"
        "    def forward(self, x):\n        return self.fc(x)",
        "raise RuntimeError('the training cell must not run')",
    )
    summary = trace_target(f"{path}:Net", options("x=1x4"))
    assert summary.costs.macs == 8


def test_a_notebook_cell_that_fails_is_named(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "lab.ipynb", "x = 1", "y = 1 / 0\nNet = 3")
    with pytest.raises(ArchscopeError) as caught:
        resolve_target(f"{path}:Net", {})
    assert "ZeroDivisionError" in caught.value.message
    assert "cell" in caught.value.message
    with pytest.raises(ArchscopeError):
        resolve_target(f"{path}:Nothing", {})
    (tmp_path / "bad.ipynb").write_text("no json", encoding="utf-8")
    with pytest.raises(ArchscopeError, match=r"bad\.ipynb"):
        resolve_target(f"{tmp_path}/bad.ipynb:Net", {})


def test_importable_modules_and_their_mistakes() -> None:
    target = resolve_target("torch.nn:Linear", {"in_features": 3, "out_features": 2})
    assert isinstance(target.build(), nn.Linear)
    with pytest.raises(UnknownNameError):
        resolve_target("torch.nn:Linaer", {})
    with pytest.raises(ArchscopeError):
        resolve_target("torch.nnn:Linear", {})
    with pytest.raises(ArchscopeError):
        resolve_target("nowhere_at_all:Net", {})


@pytest.mark.parametrize(
    ("text", "word"),
    [("resnet5", "resnet50"), ("torchvison:resnet50", "torchvision"), ("vgg-z", "vgg"), ("nothing like it", "unknown")],
)
def test_unknown_targets_suggest_the_right_word(text: str, word: str) -> None:
    with pytest.raises(ArchscopeError) as caught:
        resolve_target(text, {})
    assert word in f"{caught.value.message} {caught.value.remedy}"
    assert caught.value.exit_code == 2
