"""Receptive fields as the columns `field`, `jump` and `centre` of any table of layers, and as entries of a document."""

from collections.abc import Sequence
from fractions import Fraction

from archscope.analysis.receptive import DimensionField, measure_fields
from archscope.core.codec import fill
from archscope.core.documents.trace import ReceptiveEntry
from archscope.core.table import Cell, Column
from archscope.core.trace import Trace
from archscope.core.units import plain_number

COLUMNS = (
    Column("receptive", "field", align="right"),
    Column("jump", "jump", align="right"),
    Column("centre", "centre", align="right", optional=True),
)
"""Size of the receptive field, input positions per step, and the input position that output 0 is centred on."""

NOTE = (
    "field: input positions that one output depends on, through the farthest path, as if the image went on in the "
    "padding · jump: input positions from one output to the next · centre: of output 0"
)

EMPTY = tuple(Cell("") for _ in COLUMNS)


def build_cells(dimensions: Sequence[DimensionField]) -> tuple[Cell, ...]:
    """The three cells of a layer; empty where it depends on no image."""
    if not dimensions:
        return EMPTY
    kinds = {dimension.kind for dimension in dimensions}
    if kinds != {"extent"}:
        return (Cell("whole" if "whole" in kinds else "unknown", mark="muted"), *EMPTY[1:])
    return (
        _build([dimension.size for dimension in dimensions], always=True),
        _build([dimension.jump for dimension in dimensions]),
        _build([dimension.centre for dimension in dimensions]),
    )


def build_receptive_entries(trace: Trace) -> tuple[tuple[ReceptiveEntry, ...], ...]:
    """By layer id, for its document: an entry for each spatial dimension."""
    return tuple(
        tuple(
            fill(
                ReceptiveEntry,
                dimension,
                jump=plain_number(dimension.jump),
                centre=plain_number(dimension.centre),
            )
            for dimension in field.dimensions
        )
        for field in measure_fields(trace)
    )


def _build(values: Sequence[int | Fraction | None], *, always: bool = False) -> Cell:
    """`11x11`, `4`; a field shows all dimensions, a jump or centre one number where they agree."""
    texts = [_write(value) for value in values if value is not None]
    alike = len(set(texts)) == 1
    text = texts[0] if alike and not always else "x".join(texts)
    first = plain_number(values[0])
    return Cell(text, first if alike else text)


def _write(value: int | Fraction) -> str:
    plain = plain_number(value)
    return f"{plain:g}" if isinstance(plain, float) else str(plain)
