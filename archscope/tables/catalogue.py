"""The table of the built-in models, from the rows of their catalogue."""

from collections.abc import Iterable
from typing import Protocol

from archscope.core.table import Cell, Column, Row, Table
from archscope.core.units import format_exact, format_si
from archscope.tables.layer_text import format_shape

COLUMNS = (
    Column("name", "name"),
    Column("params", "parameters", align="right", kind="number"),
    Column("macs", "MACs", align="right", kind="number"),
    Column("input", "input"),
    Column("title", "model", optional=True),
    Column("source", "source", flexible=True, noted=True),
)


class CatalogueLine(Protocol):
    """What a row of the catalogue has."""

    @property
    def name(self) -> str:
        """The word to type."""

    @property
    def title(self) -> str:
        """What it is."""

    @property
    def source(self) -> str:
        """The paper or lecture."""

    @property
    def input(self) -> tuple[int, ...]:
        """(C, H, W) of the default image."""

    @property
    def params(self) -> int:
        """Parameters."""

    @property
    def macs(self) -> int:
        """Multiply-accumulates at batch 1, in eval."""


def build_catalogue_table(lines: Iterable[CatalogueLine]) -> Table:
    """One row per model."""
    rows = tuple(_build_row(line) for line in lines)
    return Table(
        title="Models that can be named",
        subtitle="batch 1 · eval",
        columns=COLUMNS,
        rows=rows,
        notes=(f"{len(rows)} models · MACs at the input shown, 1 MAC = 2 FLOPs",),
    )


def _build_row(line: CatalogueLine) -> Row:
    return Row(
        (
            Cell(line.name),
            Cell(format_exact(line.params), line.params, short=format_si(line.params)),
            Cell(format_exact(line.macs), line.macs, short=format_si(line.macs)),
            Cell(format_shape(line.input)),
            Cell(line.title),
            Cell(line.source),
        )
    )
