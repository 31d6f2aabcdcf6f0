"""Every command and every format with names of strangers' models, files, traces and data sets that would do harm."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import archscope
from archscope.cli.app import main

from .hostile import FORMATS, NAMES, check_text, find_raw

SOURCE = """
import torch, warnings
from torch import nn

NAME = {name!r}

class Block(nn.Module):
    def __init__(self, mode=NAME):
        super().__init__()
        self.mode = mode
        self.conv, self.fc, self.dead = nn.Conv2d(3, 4, 3), nn.Linear(4, 2), nn.Linear(4, 2)

    def forward(self, x):
        return {{NAME: self.fc(torch.relu(self.conv(x)).mean((2, 3)))}}

class Net(nn.Module):
    def __init__(self, arg=NAME, fail=False, flat=False, num_classes=2):
        super().__init__()
        self.fail, self.arg, self.flat = fail, arg, flat
        self.add_module(NAME.replace(".", "") or "a", Block())
        self.bn = nn.BatchNorm2d(3)

    def forward(self, x, **more):
        y = next(self.children())(self.bn(x))
        if self.fail:
            raise ValueError(NAME)
        return y[NAME] if self.flat else y

Net.__name__ = Net.__qualname__ = NAME.replace("\\0", "").replace("\\ud800", "")

class Old(Net):
    def __init__(self):
        raise RuntimeError(NAME)

def make():
    raise KeyError(NAME)
"""
SIZE = ("--input", "1x3x8x8")
LIVE: tuple[tuple[str, ...], ...] = (
    ("trace", "net.py:Net", *SIZE),
    ("trace", "net.py:Net", *SIZE, "--top", "3", "--receptive"),
    ("trace", "net.py:Net", *SIZE, "--arg", "fail=true", "--debug"),
    ("trace", "net.py:Old", *SIZE),
    ("trace", "net.py:make", *SIZE),
    ("trace", "net.py:Net", *SIZE, "--arg", "arg=NAME"),
    ("trace", "net.py:Net", *SIZE, "--input", "NAME=1x3"),
    ("table", "net.py:Net", *SIZE),
    ("explain", "net.py:Net", "NAME", *SIZE),
    ("fit", "net.py:Net", "--memory", "1GiB", *SIZE),
    ("budget", "net.py:Net", "--max-params", "1", *SIZE),
    ("bench", "net.py:NAME", *SIZE),
    ("verify", "vgg", "--against", "net.py:NAME"),
)
WRONG: tuple[tuple[str, ...], ...] = (
    *((word, "NAME") for word in ("trace", "table", "models", "verify", "schema", "bench", "fit", "train")),
    *(("trace", "resnet18", option, "NAME") for option in ("--arg", "--input", "--mode", "--format", "--columns")),
    *(("NAME",), ("--NAME",), ("trace", "--NAME"), ("explain", "resnet18", "NAME")),
    *(("budget", "resnet18", "--max-params", "NAME"), ("fit", "resnet18", "--memory", "NAME")),
    *(("bench", "resnet20", option, "NAME") for option in ("--device", "--dtype", "--compare")),
    *(("train", "resnet20", "--data", "synthetic", option, "NAME") for option in ("--recipe", "--classes")),
)
SAVED: tuple[tuple[str, ...], ...] = (
    ("trace", "t.json"),
    ("trace", "t.json", "--receptive", "--top", "3"),
    ("table", "t.json"),
    ("explain", "t.json", "--all"),
    ("explain", "t.json", "XNAMEX"),
    ("budget", "t.json", "--max-params", "1", "--baseline", "t.json"),
)
PLACES = ("XNAMEX", "XTYPEX", "XINPUTX", "XARGX", "XKEYX", "XMSGX", "net.py")
"""In a saved trace: a module, a class, an input, an argument, an output, a message, a file."""
TEMPLATE = """
import torch
from torch import nn

class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.mode = "XARGX"
        self.conv, self.fc, self.dead = nn.Conv2d(3, 4, 3), nn.Linear(4, 2), nn.Linear(4, 2)

    def forward(self, x):
        return {"XKEYX": self.fc(torch.relu(self.conv(x)).mean((2, 3)))}

class XTYPEX(nn.Module):
    def __init__(self, arg="XARGX", fail=False):
        super().__init__()
        self.fail = fail
        self.add_module("XNAMEX", Block())

    def forward(self, XINPUTX):
        y = self.XNAMEX(XINPUTX)
        if self.fail:
            raise ValueError("XMSGX")
        return y
"""


class Runner:
    """Runs commands in this process, and judges what they say."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys
        self.count = 0

    def run(self, *words: str, word: str = "table") -> int:
        code = main([*words, *(("--format", word) if word != "table" else ())])
        told = self.capsys.readouterr()
        self.count += 1
        assert not find_raw(told.err), words
        if word == "json" and told.out:
            assert not find_raw(told.out)
            json.loads(told.out)
        elif told.out:
            check_text(word, told.out)
        return code


@pytest.fixture
def runner(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Runner]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    found = Runner(capsys)
    yield found
    with capsys.disabled():
        sys.stdout.write(f" {found.count} command lines ")


def choose_format(number: int, words: tuple[str, ...]) -> str:
    """One format in turn: every one meets every command, with several names."""
    known = (*FORMATS, "github") if words[0] in ("budget", "train") else FORMATS
    return known[number % len(known)]


@pytest.mark.slow
def test_every_command_on_a_saved_trace(runner: Runner) -> None:
    Path("net.py").write_text(TEMPLATE, encoding="utf-8")
    for fail in ("false", "true"):
        code = runner.run("trace", "net.py:XTYPEX", *SIZE, "--arg", f"fail={fail}", "--ops", "-o", f"{fail}.json")
        assert code == (3 if fail == "true" else 0)
    for number, name in enumerate(NAMES):
        for turn, source in enumerate(("false.json", "true.json")):
            text = Path(source).read_text(encoding="utf-8")
            for place in PLACES:
                text = text.replace(place, json.dumps(name)[1:-1])
            Path("t.json").write_text(text, encoding="utf-8")
            for words in SAVED:
                given = tuple(name if word == "XNAMEX" else word for word in words)
                assert runner.run(*given, word=choose_format(number + 3 * turn, words)) in (0, 1, 2, 3)
    assert runner.count > 500


@pytest.mark.slow
def test_every_command_on_a_model(runner: Runner) -> None:
    for number, name in enumerate(NAMES):
        Path("net.py").write_text(SOURCE.format(name=name), encoding="utf-8")
        for words in LIVE[number % 2 :: 2]:
            runner.run(*(word.replace("NAME", name) for word in words), word=choose_format(number // 2, words))
        for words in WRONG[number % 3 :: 3]:
            runner.run(*(word.replace("NAME", name) for word in words))
    assert runner.count > 500


@pytest.mark.slow
def test_data_sets_and_files(runner: Runner) -> None:
    image = pytest.importorskip("PIL.Image")
    for number, name in enumerate(NAMES):
        safe = name.replace("/", "").replace("\0", "").replace("\ud800", "")[:60]
        Path("net.py").write_text(SOURCE.format(name=safe), encoding="utf-8")
        Path(f"{safe}.py").write_text(SOURCE.format(name=safe), encoding="utf-8")
        folder = Path(f"data{number}")
        for part in ("train", "test"):
            for kind in ("a", "b"):
                (folder / part / (safe + kind)).mkdir(parents=True)
                for count in range(4):
                    image.effect_noise((8, 8), 50 + count).convert("RGB").save(
                        folder / part / (safe + kind) / f"{count}.png"
                    )
        common = ("train", "net.py:Net", "--arg", "flat=true", "--data", str(folder), "--device", "cpu")
        word = (*FORMATS, "github")[number % 7]
        run = ("--epochs", "2", "--no-check", "--run-dir", f"run{number}", "--batch-size", "4")
        if number % 2:
            assert runner.run(*common, *run, word=word) == 0
        else:
            assert runner.run(*common, "--check-only", word=word) in (0, 1)
        assert runner.run(*common, "--classes", f"{safe}a,other") == 2
        runner.run("trace", f"{safe}.py:Net", *SIZE, "-o", f"{safe}.md")
        runner.run("budget", f"{safe}.py:Net", "--max-params", "1", *SIZE, word="github")
        (folder / "train" / f"{safe}a" / "0.png").write_bytes(b"no image")
        assert runner.run(*common, "--check-only") == 2


def test_one_name_with_everything_in_it(runner: Runner) -> None:
    """Every format of what reads models and saved traces."""
    name = "\x1b[2J\u202e\r\n::error::<script>![i](http://x)|=1"
    Path("net.py").write_text(SOURCE.format(name=name), encoding="utf-8")
    for words in (*SAVED, ("trace", "net.py:Net", *SIZE), ("trace", "net.py:Net", *SIZE, "--arg", "fail=true")):
        if "t.json" in words and not Path("t.json").exists():
            runner.run("trace", "net.py:Net", *SIZE, "--ops", "-o", "t.json")
        for word in FORMATS:
            assert runner.run(*(name if part == "XNAMEX" else part for part in words), word=word) in (0, 1, 2, 3)
    summary: Any = archscope.load("t.json")
    assert summary.layers[2].path == name
    assert not find_raw(repr(summary) + repr(summary.layers[2]) + str(summary))
    check_text("html", summary._repr_html_())
