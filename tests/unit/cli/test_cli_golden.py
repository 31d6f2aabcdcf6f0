"""The main job, whole: what `archscope` prints for two networks, in a pipe and in terminals of 80 and 200 columns.

The numbers in these files are checked by hand arithmetic elsewhere (tests/papers); here it is the form. To write the
files anew after a change that was meant: ARCHSCOPE_WRITE_GOLDEN=1 pytest tests/unit/cli/test_cli_golden.py
"""

import os
from functools import cache
from pathlib import Path

import pytest

from archscope.api import Summary
from archscope.api.calls import trace_target
from archscope.cli.app import main
from archscope.core.table import Table
from archscope.core.words import TraceOptions, parse_input
from archscope.rendering import render
from archscope.tables.layers import LayerTableOptions, build_layer_table
from archscope.tables.model import build_model_table


@cache
def summarise(target: str, size: str = "") -> Summary:
    return trace_target(target, TraceOptions(inputs=(parse_input(size),) if size else ()))


def build_alexnet() -> Table:
    summary = summarise("alexnet")
    return build_model_table(summary.trace, summary.costs, summary.title)


def build_resnet() -> Table:
    summary = summarise("resnet50", "32")
    return build_layer_table(summary.trace, summary.costs, LayerTableOptions(title=summary.title, depth=2))


TABLES = {"table_alexnet": build_alexnet, "trace_resnet50_32_depth2": build_resnet}


def compare(name: str, text: str, repository: Path) -> None:
    path = repository / "tests" / "golden" / name
    if os.environ.get("ARCHSCOPE_WRITE_GOLDEN"):
        path.write_text(text, encoding="utf-8", newline="\n")
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("width", [80, 200])
@pytest.mark.parametrize("name", TABLES)
def test_terminals(name: str, width: int, repository: Path) -> None:
    text = render(TABLES[name](), width=width)
    assert max(map(len, text.splitlines())) <= width
    compare(f"{name}.{width}.txt", text, repository)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("table_alexnet", ["table", "alexnet"]),
        ("trace_resnet50_32_depth2", ["trace", "resnet50", "--input", "32", "--depth", "2"]),
    ],
)
def test_pipes(name: str, words: list[str], repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 0
    compare(f"{name}.pipe.txt", capsys.readouterr().out, repository)


@pytest.mark.parametrize("word", ["md", "tex", "csv", "plain"])
def test_formats(word: str, repository: Path) -> None:
    compare(f"table_alexnet.{word}", render(build_alexnet(), word), repository)


def test_the_lecture_s_lines() -> None:
    """Every row of the lecture's table, word for word (CS231n lecture 9)."""
    text = render(build_alexnet())
    for line in (
        "[227x227x3] INPUT",
        "[55x55x96] CONV1: 96 11x11 filters at stride 4, pad 0",
        "[27x27x96] MAX POOL1: 3x3 filters at stride 2",
        "[27x27x96] NORM1: Normalization layer",
        "[27x27x256] CONV2: 256 5x5 filters at stride 1, pad 2",
        "[13x13x256] MAX POOL2: 3x3 filters at stride 2",
        "[13x13x256] NORM2: Normalization layer",
        "[13x13x384] CONV3: 384 3x3 filters at stride 1, pad 1",
        "[13x13x384] CONV4: 384 3x3 filters at stride 1, pad 1",
        "[13x13x256] CONV5: 256 3x3 filters at stride 1, pad 1",
        "[6x6x256] MAX POOL3: 3x3 filters at stride 2",
        "[4096] FC6: 4096 neurons",
        "[4096] FC7: 4096 neurons",
        "[1000] FC8: 1000 neurons (class scores)",
    ):
        assert line in text
    assert "62,378,344  1,135,256,096" in text


def test_rows_add_up_where_a_network_branches() -> None:
    summary = summarise("resnet50", "32")
    table = build_model_table(summary.trace, summary.costs)
    *rows, total = [[cell.value for cell in row.cells[2:4]] for row in table.rows]
    assert total == [25_557_032, 85_458_944]
    assert [sum(value for value in column if isinstance(value, int)) for column in zip(*rows, strict=True)] == total
    labels = [row.cells[1].text for row in table.rows]
    assert labels[1:5] == [
        "CONV: 64 7x7 filters at stride 2, pad 3",
        "NORM: BatchNorm2d",
        "MAX POOL: 3x3 filters at stride 2, pad 1",
        "layer1.0: Bottleneck",
    ]
    # 3 + 4 + 6 + 3 bottlenecks.
    assert sum(label.endswith(": Bottleneck") for label in labels) == 16
