"""Hostile names do no harm at any of the places where names become text."""

import csv
import io
import itertools
import json
import re
import shlex
import warnings
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

import archscope
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

from .hostile import FORMATS, NAMES, ORDINARY, check_text, find_raw

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
