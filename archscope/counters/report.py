"""Comparisons with other counters as a table for people and a document for programs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from archscope.core.codec import fill
from archscope.core.documents.figures import CounterEntry, CountersDocument, DifferenceEntry, ModelEntry
from archscope.core.table import Cell, Column, Row, Table
from archscope.core.units import format_exact
from archscope.counters.tool_count import Comparison, Difference, ToolCount
from archscope.rendering.report import Report

COLUMNS = (
    Column("target", "model"),
    Column("tool", "counter"),
    Column("params", "parameters", align="right", kind="number"),
    Column("params_difference", "difference", align="right", kind="number", optional=True),
    Column("macs", "MACs", align="right", kind="number"),
    Column("macs_difference", "difference", align="right", kind="number"),
    Column("place", "ran on", optional=True),
    Column("why", "why", noted=True),
)

CONVENTIONS = (
    "1 MAC is 1 multiply-add of a convolution, matrix product or attention; torchinfo prints mult-adds, fvcore calls "
    "one multiply-add one flop, FlopCounterMode two FLOPs (halved here)"
)


def build_table(comparisons: Sequence[Comparison]) -> Table:
    """Ours, then each tool, for every model; each difference stands in a row of its own under its tool."""
    rows: list[Row] = []
    for comparison in comparisons:
        rows.append(_build_own(comparison))
        for counts in comparison.tool_counts:
            rows += _build_rows(comparison, counts)
    shapes = dict.fromkeys(comparison.shape for comparison in comparisons)
    return Table(
        title="archscope beside other counters",
        subtitle=" · ".join(shapes) if len(shapes) <= 2 else "each at its own input",
        columns=COLUMNS,
        rows=tuple(rows),
        notes=(CONVENTIONS, *_list_printed(comparisons)),
    )


def _build_own(comparison: Comparison) -> Row:
    why = "" if comparison.macs is not None else "some operations have no formula: archscope trace lists them"
    cells = (
        Cell(comparison.target),
        Cell("archscope"),
        _number(comparison.params),
        Cell(""),
        _number(comparison.macs),
        Cell(""),
        Cell("meta"),
        Cell(why),
    )
    return Row(cells, kind="section")


def _build_rows(comparison: Comparison, counts: ToolCount) -> Iterator[Row]:
    name = Cell("", comparison.target)
    tool = Cell(f"{counts.tool} {counts.version}".strip())
    if counts.error:
        yield Row((name, tool, *(Cell("-") for _ in range(4)), Cell(counts.place), Cell(counts.error, mark="failed")))
        return
    yield Row(
        (
            name,
            tool,
            _number(counts.params),
            _gap(counts.params, comparison.params),
            _number(counts.macs),
            _gap(counts.macs, comparison.macs),
            Cell(counts.place),
            Cell("" if counts.differences or counts.params_differences else "the same"),
        )
    )
    for item in counts.params_differences:
        yield _build_difference(name, item, params=True)
    for item in counts.differences:
        yield _build_difference(name, item, params=False)


def _build_difference(name: Cell, item: Difference, *, params: bool) -> Row:
    number = Cell(f"{item.macs:+,}", item.macs)
    blank = Cell("")
    cells = (blank, number, blank, blank) if params else (blank, blank, blank, number)
    return Row((name, Cell(""), *cells, Cell(""), Cell(item.cause, mark="" if item.explained else "differs")))


def _number(value: int | None) -> Cell:
    return Cell("-") if value is None else Cell(format_exact(value), value)


def _gap(theirs: int | None, ours: int | None) -> Cell:
    return (
        Cell("-")
        if theirs is None or ours is None
        else Cell(f"{theirs - ours:+,}" if theirs != ours else "0", theirs - ours)
    )


def _list_printed(comparisons: Sequence[Comparison]) -> Iterator[str]:
    for comparison in comparisons:
        told = [f"{counts.tool} {counts.printed}" for counts in comparison.tool_counts if counts.printed]
        if told:
            yield f"as printed, {comparison.target}: {' · '.join(told)}"


def build_counters_document(comparisons: Sequence[Comparison]) -> CountersDocument:
    """The document of comparisons, one for each model."""
    return CountersDocument(
        tuple(
            fill(ModelEntry, item, input=item.shape, counters=tuple(map(_build_counter, item.tool_counts)))
            for item in comparisons
        )
    )


def _build_counter(counts: ToolCount) -> CounterEntry:
    return fill(
        CounterEntry,
        counts,
        version=counts.version or None,
        ran_on=counts.place or None,
        params_differences=tuple(map(_build_entry, counts.params_differences)),
        differences=tuple(map(_build_entry, counts.differences)),
        error=counts.error or None,
    )


def _build_entry(item: Difference) -> DifferenceEntry:
    return DifferenceEntry(item.macs, item.cause, item.explained)


@dataclass(frozen=True, slots=True, repr=False)
class CounterReport(Report):
    """Parameters and MACs of models by archscope and by other counters, each difference with its cause."""

    comparisons: tuple[Comparison, ...]

    def build_document(self) -> CountersDocument:
        """The document `archscope.counters/1`."""
        return build_counters_document(self.comparisons)

    def build_tables(self, width: int | None = None) -> tuple[Table, ...]:
        """One table: ours, then each tool, for every model."""
        return (build_table(self.comparisons),)
