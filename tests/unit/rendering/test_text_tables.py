"""Text tables: whole in a pipe, fitted to a terminal, readable in every encoding."""

import re
from typing import Any

import pytest

from archscope.core.table import Cell, Column, Row, Table
from archscope.rendering import render
from archscope.rendering.lines import find_first_word, measure, pad, shorten

COLUMNS = (
    Column("layer", "layer"),
    Column("type", "type", flexible=True),
    Column("params", "parameters", align="right", kind="number"),
    Column("share", "share", align="right", kind="share", optional=True),
)


def make_tree(*rows: tuple[int, str, str, int, float | None]) -> Table:
    return Table(
        title="A network of layers",
        subtitle="1x3x32x32 · eval · meta",
        columns=COLUMNS,
        rows=tuple(
            Row(
                (
                    Cell(name),
                    Cell(kind),
                    Cell(f"{params:,}", params, short=f"{params / 1e6:.1f} M", mark="" if params else "muted"),
                    Cell("" if share is None else f"{100 * share:.1f} %", share),
                ),
                depth=depth,
            )
            for depth, name, kind, params, share in rows
        ),
        notes=("25.56 M parameters (97.5 MiB), all trainable · 85.46 MMACs = 170.9 MFLOPs · nothing uncounted",),
    )


@pytest.fixture
def tree() -> Table:
    return make_tree(
        (0, "net", "Net", 25_557_032, None),
        (1, "stem", "Conv2d 7x7/2, pad 3", 9_408, 0.125),
        (1, "body", "Sequential", 25_000_000, 1.0),
        (2, "0", "MaxPool2d 3x3/2, pad 1, ceil", 0, None),
        (2, "1-3  x3 each", "Bottleneck", 8_000_000, 0.001),
        (1, "fc", "Linear", 547_624, 0.5),
    )


def read_body(text: str) -> list[str]:
    lines = text.splitlines()
    start = next(index for index, line in enumerate(lines) if line.startswith("layer"))
    return lines[start : lines.index("", start)]


def test_the_pipe(tree: Table) -> None:
    assert render(tree).splitlines() == [
        "A network of layers                                    1x3x32x32 · eval · meta",
        "",
        "layer             type                          parameters    share",
        "─" * 78,
        "net               Net                           25,557,032",
        "├ stem            Conv2d 7x7/2, pad 3                9,408   12.5 % █▎",
        "├ body            Sequential                    25,000,000  100.0 % ██████████",
        "│ ├ 0             MaxPool2d 3x3/2, pad 1, ceil           0",
        "│ └ 1-3  x3 each  Bottleneck                     8,000,000    0.1 % ▏",
        "└ fc              Linear                           547,624   50.0 % █████",
        "",
        tree.notes[0],
    ]


def test_plain_text_is_ascii_without_bars(tree: Table) -> None:
    text = render(tree, "plain")
    assert text.isascii()
    assert read_body(text)[2:6] == [
        "net                 Net                           25,557,032",
        "|- stem             Conv2d 7x7/2, pad 3                9,408   12.5 %",
        "|- body             Sequential                    25,000,000  100.0 %",
        "|  |- 0             MaxPool2d 3x3/2, pad 1, ceil           0",
    ]


@pytest.mark.parametrize("encoding", ["ascii", "cp949", "latin-1", "utf-8", "no-such-encoding"])
def test_every_encoding_can_carry_it(tree: Table, encoding: str) -> None:
    text = render(tree, encoding=encoding)
    assert text.encode("ascii" if encoding == "no-such-encoding" else encoding)
    # cp949 has boxes and dots, but no blocks.
    if encoding == "cp949":
        assert "├ stem" in text
        assert "██" not in text
        assert " · " in text
        assert "100.0 % ##########" in text


@pytest.mark.parametrize("width", range(34, 120, 3))
def test_it_fits_the_terminal_and_no_number_is_broken(tree: Table, width: int) -> None:
    text = render(tree, width=width)
    assert max(map(measure, read_body(text))) <= width
    numbers = {"25,557,032", "9,408", "25,000,000", "8,000,000", "547,624"}
    shown = set(re.findall(r"\d[\d,]*,\d+", text))
    assert shown in (numbers, set())
    if not shown:
        assert "25.6 M" in text


def test_what_gives_way_first() -> None:
    table = make_tree((0, "net", "MaxPool2d 3x3/2, pad 1, ceil", 1_000_000, 0.5))

    def line(width: int) -> str:
        return read_body(render(table, width=width))[2]

    full = len("net    MaxPool2d 3x3/2, pad 1, ceil   1,000,000  50.0 %")
    assert line(full + 11) == "net    MaxPool2d 3x3/2, pad 1, ceil   1,000,000  50.0 % █████"
    assert line(full + 10) == "net    MaxPool2d 3x3/2, pad 1, ceil   1,000,000  50.0 %"
    assert line(full - 1) == "net    MaxPool2d 3x3/2, pad 1   1,000,000  50.0 %"
    assert line(full - 8) == "net    MaxPool2d 3x3/2   1,000,000  50.0 %"
    assert line(34) == "net    MaxPool2d 3x3/2   1,000,000"
    assert line(33) == "net    MaxPool2d   1,000,000"
    assert line(30) == "net   MaxPool2d  1,000,000"


def test_a_wide_terminal_gets_longer_bars(tree: Table) -> None:
    assert "█" * 20 in render(tree, width=200)
    assert "█" * 11 not in render(tree, width=120)


def test_titles_and_notes_fit_the_terminal(tree: Table) -> None:
    lines = render(tree, width=60).splitlines()
    assert lines[0] == "A network of layers                1x3x32x32 · eval · meta"
    assert lines[-2:] == [
        "25.56 M parameters (97.5 MiB), all trainable",
        "85.46 MMACs = 170.9 MFLOPs · nothing uncounted",
    ]
    lines = render(tree, width=34).splitlines()
    assert lines[:3] == ["A network of layers", "1x3x32x32 · eval · meta", ""]
    assert all(measure(line) <= 34 for line in lines)


def test_colours_only_where_asked_and_never_alone(tree: Table) -> None:
    painted = render(tree, width=100, color=True)
    assert "\x1b[" in painted
    assert re.sub(r"\x1b\[[0-9;]*m", "", painted) == render(tree, width=100)
    assert "\x1b[" not in render(tree, width=100)


def test_a_failed_cell_has_its_sign() -> None:
    table = Table("", (Column("a", "a"), Column("b", "b")), (Row((Cell("fc"), Cell("failed", mark="failed"))),))
    assert "fc  ✗ failed" in render(table)
    assert "fc  !! failed" in render(table, encoding="ascii")
    assert "\x1b[1;31m✗ failed" in render(table, color=True)


def test_totals_stand_under_a_line() -> None:
    rows = (Row((Cell("a"), Cell("1", 1))), Row((Cell("total"), Cell("1", 1)), kind="total"))
    table = Table("", (Column("x", "x"), Column("n", "n", align="right", kind="number")), rows)
    assert render(table).splitlines() == ["x      n", "────────", "a      1", "────────", "total  1"]


def test_a_cell_over_several_columns_widens_them_where_it_must() -> None:
    rows = (
        Row((Cell("a section of its own", span=2), Cell("z")), kind="section"),
        Row((Cell("a"), Cell("b"), Cell("c"))),
    )
    table = Table("", (Column("x", "x"), Column("y", "y"), Column("w", "w")), rows)
    assert render(table).splitlines() == [
        "x  y                  w",
        "───────────────────────",
        "a section of its own  z",
        "a  b                  c",
    ]


def test_shapes_stand_close_to_their_labels() -> None:
    columns = (Column("shape", "output", align="right"), Column("label", "layer"))
    rows = (Row((Cell("[55x55x96]"), Cell("CONV1"))), Row((Cell("[1000]"), Cell("FC8"))))
    assert render(Table("", columns, rows)).splitlines()[2:] == ["[55x55x96] CONV1", "    [1000] FC8"]


def test_wide_characters_take_two_cells() -> None:
    assert measure("한글") == 4
    assert measure("e\u0301") == 1
    rows = (Row((Cell("한글"), Cell("x"))), Row((Cell("abcd"), Cell("y"))))
    assert render(Table("", (Column("a", "a"), Column("b", "b")), rows)).splitlines()[2:] == ["한글  x", "abcd  y"]


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: shorten("Conv2d 7x7/2, pad 3", 18), "Conv2d 7x7/2"),
        (lambda: shorten("Conv2d 7x7/2, pad 3", 11), "Conv2d"),
        (lambda: shorten("Conv2d", 3), ""),
        (lambda: find_first_word("Conv2d 7x7/2, pad 3"), "Conv2d"),
        (lambda: find_first_word("Conv2d, 7x7"), "Conv2d"),
        (lambda: pad("ab", 5, "center"), " ab  "),
    ],
)
def test_shortening(call: Any, text: str) -> None:
    assert call() == text


def test_a_table_without_title_or_rows() -> None:
    assert render(Table("", (Column("a", "a"),), ())).splitlines() == ["a", "─"]


def test_warnings_among_the_notes_stand_out() -> None:
    notes = (
        "12 parameters",
        "a note",
        "warning: layers are not registered",
        "  remedy: register them",
        "error: it failed",
    )
    painted = render(Table("", (Column("a", "a"),), (Row((Cell("x"),)),), notes), color=True)
    assert painted.splitlines()[-4:] == [
        "\x1b[2ma note\x1b[0m",
        "\x1b[33mwarning:\x1b[0m layers are not registered",
        "\x1b[2m  remedy: register them\x1b[0m",
        "\x1b[1;31merror:\x1b[0m it failed",
    ]
