"""What holds of every text table at every width; the tests of single tables and those of whole commands share it."""

import re
from collections.abc import Iterator

from archscope.core.table import Table
from archscope.rendering.formats import RenderOptions
from archscope.rendering.lines import measure
from archscope.rendering.report import Report

PIPE = 200
WIDTHS = (60, 80, 100, 120, 200, None)
"""Columns of a terminal; None is a pipe."""
_DRAWN = re.compile("[├└│─▏▎▍▌▋▊▉█]")
_REFERENCE = re.compile(r"\[\d+\]")


def check_report(report: Report, width: int | None) -> None:
    """No line is too long, no word is broken or cut, and every row keeps its name."""
    text = report.render("table", RenderOptions(width=width))
    lines = text.splitlines()
    widest = max(lines, key=measure)
    assert measure(widest) <= (width or PIPE), widest
    tables = report.build_tables(width)
    known = {word for table in (*tables, *report.build_tables()) for told in list_texts(table) for word in told.split()}
    if any(len(word) > (width or PIPE) for word in known):
        known |= {piece for word in known for piece in _join_pieces(re.split("(?<=[,/])", word))}
    known |= {word.rstrip(",") for word in known}  # phrases that were left out take their comma along
    shown = {word for line in lines for word in _DRAWN.sub(" ", line).split()}
    assert {word for word in shown - known if not _REFERENCE.fullmatch(word)} == set()
    starts = [_DRAWN.sub(" ", line).strip() for line in lines]
    for table in tables:
        for row in table.rows:
            name = row.cells[0].text
            if not table.columns[0].hidden and row.cells[0].span == 1:
                assert any(start.startswith(name) for start in starts), name


def _join_pieces(pieces: list[str]) -> Iterator[str]:
    """Every run of pieces of a word that is longer than a line."""
    for start in range(len(pieces)):
        for end in range(start + 1, len(pieces) + 1):
            yield "".join(pieces[start:end])


def list_texts(table: Table) -> Iterator[str]:
    """Everything that may be shown of a table."""
    yield from (table.title, table.subtitle, *table.notes, "·", "✗")
    for column in table.columns:
        yield from (column.title, column.short, f"{column.title}:")
    for row in table.rows:
        for cell in row.cells:
            yield from (cell.text, cell.short)
