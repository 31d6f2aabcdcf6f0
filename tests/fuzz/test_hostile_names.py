"""Names from strangers' models, files and data sets do no harm in any format of any command.

Plain: each place where names become text. Slow: every command and every format with every name.
"""

import csv
import io
import itertools
import json
import re
import shlex
import sys
import warnings
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import archscope
from archscope.cli.app import main
from archscope.cli.failures import print_error
from archscope.cli.progress import _LiveDisplay, show_progress, tell, tell_stage
from archscope.core.documents.findings import EpochMetrics
from archscope.core.errors import DataError, OutputError, UnknownNameError
from archscope.core.escaping import escape_lines, escape_name
from archscope.core.files import check_writable
from archscope.core.finding import Finding
from archscope.core.progress import Stage
from archscope.core.table import Cell, Column, Row, Table
from archscope.rendering.findings import render_findings
from archscope.rendering.formats import render
from archscope.rendering.html import render_html

from .hostile import NAMES, ORDINARY, check_text, find_raw

FORMATS = ("table", "plain", "json", "csv", "md", "tex")
names = pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name)[:30])


def build_table(name: str) -> Table:
    """A table with that name wherever a table has texts."""
    columns = (
        Column(name, name, noted=True, flexible=True, short=name),
        Column("count", name, kind="number"),
        Column("code", name, code=True),
    )
    rows = (
        Row((Cell(name, name, short=name, judged=name), Cell("-3", -3), Cell(name)), depth=0),
        Row((Cell(name), Cell("", None), Cell("-")), depth=1),
        Row((Cell(name, span=3),), kind="section"),
        Row((Cell(name, span=2), Cell(name)), kind="total"),
    )
    return Table(name, columns, rows, (name, f"[1] {name}"), name)


class TestOneEscape:
    def test_what_it_looks_like(self) -> None:
        assert escape_name("a\x1b[2J\nb\u202e\U000e0041\ud800") == r"a\x1b[2J\x0ab\u202e\U000e0041\ud800"
        assert escape_name("::error::x") == r"\x3a:error::x"
        assert escape_name("a ##[error]") == r"a \x23#[error]"

    @pytest.mark.parametrize("name", ORDINARY)
    def test_ordinary_names_stay(self, name: str) -> None:
        assert escape_name(name) == name == escape_lines(name)
        for word in ("table", "csv"):
            assert name in render(Table("", (Column("name", "name"),), (Row((Cell(name),)),)), word)

    def test_different_names_stay_different(self) -> None:
        parts = ("\\", "\x1b", "\x5c", "x1b", "\n", "x0a", "u202e", "\u202e", "::e", "x3a:e", "##[", "x23#[", " ", "a")
        texts = {"".join(word) for size in range(1, 5) for word in itertools.product(parts, repeat=size)}
        texts |= {*NAMES, *map(escape_name, NAMES)}
        assert len(set(map(escape_name, texts))) == len(texts)

    def test_messages_keep_their_lines(self) -> None:
        assert escape_lines("one\r\n two\n\x1bthree\n") == "one\n two\n\\x1bthree\n"
        assert escape_lines(r"unknown model '\x1b[2J'") == r"unknown model '\x1b[2J'"


@names
class TestFormats:
    @pytest.mark.parametrize("word", [*FORMATS, "html"])
    def test_no_table_carries_it(self, name: str, word: str) -> None:
        table = build_table(name)
        if word == "json":
            document = json.loads(render(table, word))
            assert document["title"] == name
            assert document["rows"][0][name] == name
            return
        check_text(word, render_html(table) if word == "html" else render(table, word))
        if word in ("table", "plain"):
            check_text(word, render(table, word, width=80))

    def test_a_plain_table_has_its_lines(self, name: str) -> None:
        columns = (Column("name", "name"), Column("count", "count", align="right", kind="number"))
        table = Table("", columns, (Row((Cell(name), Cell("7", 7))), Row((Cell("b"), Cell("8", 8)))))
        assert len(render(table, "plain").split("\n")) == len(render(replace(table, rows=table.rows[::-1])).split("\n"))
        assert [line.split()[-1] for line in render(table, "plain").splitlines() if line.strip()][-2:] == ["7", "8"]

    def test_colours_come_from_us_alone(self, name: str) -> None:
        painted = render(build_table(name), color=True, width=100)
        assert not find_raw(re.sub(r"\x1b\[[0-9;]*m", "", painted))

    def test_findings(self, name: str) -> None:
        finding = Finding("error", name, f"50 % of {name}", name, name, name, name, name, 3)
        for word in ("table", "plain", "github"):
            check_text(word, render_findings([finding], word))
        assert len(render_findings([finding], "github").splitlines()) == 1
        assert json.loads(render_findings([finding], "json"))["findings"][0]["place"] == name

    def test_standard_error(self, name: str, capsys: pytest.CaptureFixture[str]) -> None:
        print_error(f"no file {name}", name)
        tell(name)
        told = capsys.readouterr().err
        told += tell_stage(Stage(name, 3, "x", detail=name)) + _LiveDisplay([])._draw(Stage(name, detail=name)).plain
        assert not find_raw(told)
        assert told.startswith("error: no file")


class TestSpreadsheets:
    @pytest.mark.parametrize("text", ["=1+1", "+A1", "-A1", "@SUM(A1)", "=cmd|' /C calc'!A0", " =1", "-1+2", "\uff1d1"])
    def test_formulas_are_disarmed(self, text: str) -> None:
        assert self.read(Cell(text)) == f"'{text}"

    @pytest.mark.parametrize("text", ["-", "-5", "+2.5", "-1e-3", "-0.92%", "a=1", "1-2", "'x"])
    def test_other_texts_stay(self, text: str) -> None:
        assert self.read(Cell(text)) == text

    def test_numbers_stay(self) -> None:
        assert self.read(Cell("-5 of 3", -5)) == "-5"
        assert self.read(Cell("", -0.5)) == "-0.5"

    @staticmethod
    def read(cell: Cell) -> str:
        return list(csv.reader(io.StringIO(render(Table("", (Column("a", "a"),), (Row((cell,)),)), "csv"))))[1][0]


def test_curves_are_xml_that_says_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib")
    from archscope.training.curves import draw_curves

    epochs = [EpochMetrics(number, 1.0, 1.0, 0.5, 0.5, 0.1, {"a": 0.5}) for number in (1, 2)]
    for name in (*NAMES[:12], *NAMES[20:24], "합성곱층"):
        drawn = draw_curves(epochs, name).decode()
        assert not find_raw(drawn)
        assert escape_name(name)[:60] in "".join(ET.fromstring(drawn).itertext())


class TestCommandsToType:
    """A remedy is copied to a shell."""

    name = "a$(touch pwned);`b`'c"

    def test_a_folder_to_make(self, tmp_path: Path) -> None:
        with pytest.raises(OutputError) as caught:
            check_writable(tmp_path / self.name / "x.md")
        assert shlex.split(caught.value.remedy)[-3:] == ["mkdir", "-p", str(tmp_path / self.name)]

    def test_a_trace_to_save_again(self) -> None:
        made = archscope.trace(nn.Linear(2, 2), torch.zeros(1, 2)).trace
        trace = replace(made, ops=(), target=f"{self.name}:Net", arguments=(("mode", self.name),))
        with pytest.raises(DataError) as caught:
            trace.check_ops()
        command = caught.value.remedy.partition(": ")[2].partition("; in Python")[0]
        assert shlex.split(command)[2:5] == [f"{self.name}:Net", "--arg", f"mode={self.name}"]

    def test_a_pattern(self) -> None:
        with pytest.raises(UnknownNameError) as caught:
            archscope.list_models(self.name)
        assert f"timm:{self.name}" in shlex.split(caught.value.remedy.partition("all of them, ")[2])


def test_warnings_of_a_model() -> None:
    warned = ("\x1b[2J", UserWarning, "net\x1b.py", 1)
    with show_progress():
        assert warnings.formatwarning(*warned) == "net\\x1b.py:1: UserWarning: \\x1b[2J\n"
    assert warnings.formatwarning(*warned) == "net\x1b.py:1: UserWarning: \x1b[2J\n"


# --- every command ------------------------------------------------------------------------------------------------

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
