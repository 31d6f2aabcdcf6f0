"""Tables that are too wide: what goes to notes, what stands in parts, and that nothing is ever cut."""

import random
import re

import pytest

from archscope.core.table import Cell, Column, Row, Table
from archscope.rendering import render
from archscope.rendering.lines import measure
from archscope.rendering.notes import Notes, fold_lines, wrap_note, wrap_words

LONG = "the first of several words that fill a line of their own"


def make_table(*rows: tuple[str, ...], noted: bool = True, notes: tuple[str, ...] = ()) -> Table:
    columns = (Column("id", "figure"), Column("a", "printed", noted=noted), Column("b", "measured", noted=noted))
    return Table("", columns, tuple(Row(tuple(map(Cell, row))) for row in rows), notes)


class TestNotes:
    def test_long_texts_go_beneath_with_one_number_for_a_row(self) -> None:
        table = make_table(("x.one", LONG, LONG[::-1]), ("x.two", "2.7K", "9,408"), ("x.three", "34M", LONG))
        lines = render(table, width=60).splitlines()
        assert lines[2:5] == ["x.one    [1]      [1]", "x.two    2.7K     9,408", "x.three  34M      [2]"]
        told = " ".join(lines[6:])
        assert told == f"[1] printed: {LONG} measured: {LONG[::-1]} [2] measured: {LONG}"

    def test_numbers_go_on_after_the_tables_own(self) -> None:
        table = make_table(("x", LONG, LONG), notes=("[1] odd", "[2] wrong", "last"))
        lines = render(table, width=60).splitlines()
        assert lines[2] == "x       [3]      [3]"
        assert lines[-1] == "last"
        assert lines[4:6] == ["[1] odd", "[2] wrong"]

    def test_they_go_before_the_note_that_is_the_rows_alone(self) -> None:
        columns = (Column("id", "figure"), Column("a", "printed", noted=True), Column("v", "verdict"))
        rows = [("x", LONG, "wrong [1]"), ("y", LONG, "odd [2]"), ("z", "34M", "odd [2]")]
        notes = ("[1] seen", "[2] shared")
        table = Table("", columns, tuple(Row(tuple(map(Cell, row))) for row in rows), notes)
        lines = render(table, width=40).splitlines()
        assert [line.split() for line in lines[2:5]] == [
            ["x", "[1]", "wrong", "[1]"],
            ["y", "[3]", "odd", "[2]"],
            ["z", "34M", "odd", "[2]"],
        ]
        told = " ".join(lines[6:])
        assert told == f"[1] printed: {LONG} · seen [2] shared [3] {LONG}"

    def test_the_same_text_has_one_note(self) -> None:
        table = make_table(("x", LONG, "1"), ("y", LONG, "1"))
        assert render(table, width=40).count("[1]") == 3

    def test_a_pipe_has_two_hundred_columns(self) -> None:
        table = make_table(("x", LONG * 2, LONG * 2))
        assert len(LONG * 2) < 200
        assert max(map(measure, render(table).splitlines())) <= 200
        assert render(make_table(("x", LONG, LONG))).splitlines()[2] == f"x       {LONG}  {LONG}"

    def test_short_texts_stay(self) -> None:
        assert "[1]" not in render(make_table(("x" * 40, "the same", "the same")), width=52)

    def test_wrapping_breaks_no_word(self) -> None:
        assert list(wrap_note("one two · three four", 13)) == ["one two", "three four"]
        assert wrap_words("aaaa-bbbb cccc-dddd eeee-ffff", 20) == ["aaaa-bbbb cccc-dddd", "eeee-ffff"]
        assert wrap_words("x" * 30, 20) == ["x" * 30]
        assert wrap_words("[32,32,'M',64,64,128,128,'M',256]", 20) == ["[32,32,'M',64,64,", "128,128,'M',256]"]
        assert (
            fold_lines("  largest: conv1 9,408, conv2 36,864\nok\n", 24)
            == "  largest: conv1 9,408,\n    conv2 36,864\nok\n"
        )

    def test_notes_are_counted(self) -> None:
        notes = Notes(("first", "[7] seventh", "last"))
        assert (notes.refer("a"), notes.refer("b"), notes.refer("a")) == ("[8]", "[9]", "[8]")
        assert list(notes) == ["first", "[7] seventh", "[8] a", "[9] b", "last"]


class TestParts:
    def test_columns_stand_beside_the_first_in_several_parts(self) -> None:
        columns = (Column("n", "net"), *(Column(f"c{i}", f"column{i}", align="right", kind="number") for i in range(4)))
        row = Row((Cell("alexnet"), *(Cell(f"{10**9 + i:,}", 10**9 + i) for i in range(4))))
        assert render(Table("", columns, (row,)), width=37).splitlines() == [
            "net            column0        column1",
            "─" * 37,
            "alexnet  1,000,000,000  1,000,000,001",
            "",
            "net            column2        column3",
            "─" * 37,
            "alexnet  1,000,000,002  1,000,000,003",
        ]

    def test_a_cell_over_columns_stays_over_those_of_its_part(self) -> None:
        columns = (Column("n", "net"), *(Column(f"c{i}", "x" * 12) for i in range(4)))
        table = Table("", columns, (Row((Cell("pool"), Cell("maxpool", span=4))), Row(tuple(map(Cell, "abcde")))))
        text = render(table, width=40)
        assert text.count("maxpool") == 2
        assert max(map(measure, text.splitlines())) <= 40

    def test_long_names_stand_above_their_numbers(self) -> None:
        columns = (Column("n", "module"), Column("t", "time", align="right", kind="number"), Column("b", "bound"))
        rows = tuple(
            Row((Cell(f"encoder.layer.{i}.attention.output"), Cell("1.25", 1.25), Cell("memory"))) for i in (0, 1)
        )
        assert render(Table("", columns, rows), width=40).splitlines() == [
            "module",
            "  time  bound",
            "─" * 14,
            "encoder.layer.0.attention.output",
            "  1.25  memory",
            "encoder.layer.1.attention.output",
            "  1.25  memory",
        ]

    def test_a_heading_over_all_columns_is_wrapped_at_its_words(self) -> None:
        columns = (Column("a", "a"), Column("b", "b"))
        rows = (
            Row((Cell("a heading of many words, wider than all", span=2),), kind="section"),
            Row((Cell("1"), Cell("2"))),
        )
        assert render(Table("", columns, rows), width=24).splitlines()[2:4] == [
            "a heading of many words,",
            "wider than all",
        ]


@pytest.mark.parametrize("seed", range(60))
def test_any_table_at_any_width(seed: int) -> None:
    """Every name whole, every other text whole in its cell or in a note, no line too long."""
    rng = random.Random(seed)
    words = [f"w{i}{'x' * rng.randrange(9)}" for i in range(40)]
    columns = [Column("id", "id")]
    for index in range(rng.randrange(1, 8)):
        numeric = rng.random() < 0.4
        noted = not numeric and rng.random() < 0.6
        columns.append(Column(f"c{index}", f"c{index}", kind="number" if numeric else "text", noted=noted))
    rows = []
    for number in range(rng.randrange(1, 12)):
        cells = [Cell(f"net.layer{number}.{rng.choice(words)}")]
        for column in columns[1:]:
            digits = rng.randrange(10 ** rng.randrange(1, 11))
            told = " ".join(rng.choices(words, k=rng.randrange(1, 9)))
            cells.append(Cell(f"{digits:,}", digits) if column.kind == "number" else Cell(told))
        rows.append(Row(tuple(cells)))
    table = Table("", tuple(columns), tuple(rows))
    for width in (60, 80, 100, 120, 200, None):
        text = render(table, width=width)
        lines = text.splitlines()
        if width is not None or all(column.noted or column.kind == "number" for column in columns[1:]):
            assert max(map(measure, lines)) <= (width or 200)
        flat = " ".join(text.split())
        for row in rows:
            name, *others = (cell.text for cell in row.cells)
            assert any(line.startswith(name) for line in lines)
            assert all(re.search(rf"(?<!\S){re.escape(other)}(?!\S)", flat) for other in others)
