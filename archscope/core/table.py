"""Tables as data: renderers turn them into text, and every format shows the same cells."""

from dataclasses import dataclass
from typing import Literal

Align = Literal["left", "right", "center"]
ColumnKind = Literal["text", "number", "share"]
RowKind = Literal["body", "total", "section"]
Mark = Literal["", "good", "differs", "bad", "failed", "repeat", "muted"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table."""

    key: str
    """Name for machines: the JSON key and the CSV header."""
    title: str
    """Heading for people."""
    unit: str = ""
    align: Align = "left"
    kind: ColumnKind = "text"
    """`share` cells hold a fraction of 1 as value and are drawn with a bar where the format can. In `number` and
    `share` columns a cell without a value has none, whatever its text says."""
    hidden: bool = False
    """True where only machines want it: in CSV and JSON, not in what people read."""
    optional: bool = False
    """True where a narrow terminal may leave the column out."""
    flexible: bool = False
    """True where a narrow terminal may shorten the texts, at a space or comma, or leave the column out at last."""
    noted: bool = False
    """True where a long text may stand in a numbered note beneath the table."""
    code: bool = False
    """True where the texts are arithmetic or code, in which no sign may be taken for markup."""
    short: str = ""
    """A shorter heading for narrow terminals; empty where there is none."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: a text for people and a value for machines."""

    text: str
    value: int | float | str | None = None
    """The exact value; None where the text is the value (or, with an empty text, where there is none)."""
    span: int = 1
    """How many columns it covers; a row's spans add up to the number of columns."""
    short: str = ""
    """A shorter text for narrow terminals, used for the whole column or not at all; empty where there is none."""
    mark: Mark = ""
    """What a renderer may show by style; it never carries meaning alone."""
    judged: str = ""
    """The verdict on a cell that a source prints too, with the number of its note: `agrees`, `wrong [1]`."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row; `depth` is its nesting where the table is a tree (0 is the root)."""

    cells: tuple[Cell, ...]
    kind: RowKind = "body"
    depth: int | None = None
    """None where the table is not a tree."""


@dataclass(frozen=True, slots=True)
class Table:
    """A titled table. The tree column, where rows have depths, is the first."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    """Lines under the table: totals in words, conventions, footnotes."""
    subtitle: str = ""
    """The conditions: `batch 1 · eval · float32`."""
    mark: Mark = ""
    """Of the title, where that is a verdict."""


def get_value(column: Column, cell: Cell) -> int | float | str | None:
    """What machines read in a cell: its value, else the text where the column holds texts, else None."""
    if cell.value is not None:
        return cell.value
    return cell.text if column.kind == "text" and cell.text else None


def place_cells(table: Table, row: Row) -> tuple[tuple[int, Cell], ...]:
    """The cells of `row`, each with the number of the first column it covers. Raises ValueError where spans misfit."""
    placed, start = [], 0
    for cell in row.cells:
        placed.append((start, cell))
        start += cell.span
    if start != len(table.columns):
        raise ValueError(f"a row of {start} columns in a table of {len(table.columns)}: {row.cells!r}")
    return tuple(placed)
