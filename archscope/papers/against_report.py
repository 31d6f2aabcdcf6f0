"""A model beside a network of the papers: a table for people, a document for programs, findings for a CI."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from archscope.core.codec import fill
from archscope.core.documents.figures import AgainstDocument, AgainstFigure, AgainstLayer
from archscope.core.finding import Finding
from archscope.core.table import Cell, Column, Row, Table
from archscope.core.units import format_exact
from archscope.papers.against import Against, Difference, Figure, Value
from archscope.papers.published import load_source
from archscope.papers.report import name_authors
from archscope.rendering.report import Report
from archscope.version import __version__

COLUMNS = (
    Column("name", "figure"),
    Column("expected", "expected", align="right"),
    Column("measured", "yours", align="right"),
    Column("verdict", "verdict"),
    *(Column(key, key, hidden=True) for key in ("source", "yours", "reason")),
)


@dataclass(frozen=True, slots=True, repr=False)
class AgainstReport(Report):
    """Whether a model is the network of a paper."""

    against: Against

    @property
    def failed(self) -> bool:
        """Whether anything differs."""
        return not self.against.holds

    def build_document(self) -> AgainstDocument:
        """The document `archscope.against/1`."""
        found = self.against
        return AgainstDocument(
            archscope=__version__,
            target=found.target,
            against=found.entry.name,
            kept=found.holds,
            totals=tuple(map(_fill_difference, found.totals)),
            layers=tuple(map(_fill_difference, found.layers)),
            figures=tuple(map(_fill_figure, found.figures)),
        )

    def list_findings(self) -> Sequence[Finding]:
        """One for each thing that differs."""
        found = self.against
        name = found.entry.name
        return [
            *(_accuse_figure(figure, name) for figure in found.figures if figure.standing == "differs"),
            *(_accuse_difference(item, name) for item in (*found.totals, *found.layers) if not item.holds),
        ]

    def build_tables(self, width: int | None = None) -> Sequence[Table]:
        """One table: the published figures that can be compared, the totals, and the layers that differ."""
        found = self.against
        notes = _LongValues()
        rows = [*self._list_figure_rows(notes), *_list_total_rows(found.totals), *_list_layer_rows(found.layers)]
        return (
            Table(
                title=f"{found.title} against {found.entry.name}",
                subtitle=self._count_figures(),
                columns=COLUMNS,
                rows=tuple(rows),
                notes=(*notes.written, *_list_reasons(found.figures), *_list_silent(found.figures)),
            ),
        )

    def build_data_table(self) -> Table:
        """One row for each figure, total and quantity of a layer."""
        found = self.against
        rows = [_build_figure_row(figure) for figure in found.figures]
        rows += [_build_difference_row(item) for item in (*found.totals, *found.layers)]
        return Table(title=f"{found.title} against {found.entry.name}", columns=COLUMNS, rows=tuple(rows))

    def _count_figures(self) -> str:
        """`25 of 26 figures hold · 20 not comparable`."""
        standings = [figure.standing for figure in self.against.figures]
        silent = standings.count("not comparable")
        return f"{standings.count('holds')} of {len(standings) - silent} figures hold · {silent} not comparable"

    def _list_figure_rows(self, notes: "_LongValues") -> Iterator[Row]:
        compared = [figure for figure in self.against.figures if figure.standing != "not comparable"]
        for name, group in groupby(compared, key=lambda figure: figure.source):
            source = load_source(name)
            yield _make_section(f"printed by {name_authors(source)} {source.year}")
            yield from map(notes.build_row, group)


LONGEST_VALUE = 28
"""Characters of a value that stands in its cell."""


class _LongValues:
    """Rows of figures; values that no terminal has room for stand in notes."""

    def __init__(self) -> None:
        self.written: list[str] = []

    def build_row(self, figure: Figure) -> Row:
        """The row, with the number of a note in place of a long value."""
        row = _build_figure_row(figure)
        printed, measured = figure.fact.published, figure.measured
        if max(len(printed), len(measured)) <= LONGEST_VALUE:
            return row
        mark = f"[{len(self.written) + 1}]"
        self.written.append(f"{mark} {figure.fact.id}: printed {printed}; yours {measured}")
        name, _, _, *rest = row.cells
        return replace(row, cells=(name, Cell(mark), Cell(mark), *rest))


def _make_section(text: str) -> Row:
    return Row((Cell(text, span=len(COLUMNS)),), kind="section")


def _build_figure_row(figure: Figure) -> Row:
    differs = figure.standing == "differs"
    word = figure.verdict if figure.standing == "holds" else figure.standing
    texts = (figure.fact.id, figure.fact.published, figure.measured)
    return Row(
        (
            *map(Cell, texts),
            Cell(word, figure.standing, mark="differs" if differs else ""),
            *map(Cell, (figure.source, "", figure.reason)),
        )
    )


def _list_total_rows(totals: Sequence[Difference]) -> Iterator[Row]:
    yield _make_section("the network as archscope builds it: the whole")
    yield from map(_build_difference_row, totals)


def _list_layer_rows(layers: Sequence[Difference]) -> Iterator[Row]:
    """The layers that differ, and how many do not."""
    groups = [list(group) for _, group in groupby(layers, key=lambda item: (item.place, item.theirs))]
    same = sum(all(item.holds for item in group) for group in groups)
    yield _make_section(f"its layers with weights: {same} of {len(groups)} have the same output, weight and MACs")
    yield from (_build_difference_row(item) for item in layers if not item.holds)


def _name_difference(item: Difference) -> str:
    if not item.place and not item.theirs:
        return item.quantity
    if not item.place:
        return f"{item.theirs} (yours alone) {item.quantity}"
    return f"{item.place} {item.quantity}"


def _build_difference_row(item: Difference) -> Row:
    name = _name_difference(item)
    aside = f" (your {item.theirs})" if item.place and item.theirs not in ("", item.place) else ""
    word = "agrees" if item.holds else "differs"
    return Row(
        (
            Cell(name + aside),
            *(
                Cell(_write(value), value if isinstance(value, int) else None)
                for value in (item.expected, item.measured)
            ),
            Cell(word, "holds" if item.holds else "differs", mark="" if item.holds else "differs"),
            *map(Cell, ("", item.theirs, "")),
        )
    )


def _list_reasons(figures: Sequence[Figure]) -> Iterator[str]:
    """Why figures that are odd by themselves hold: the paper's own network measures the same."""
    odd = [figure for figure in figures if figure.standing == "holds" and figure.verdict in ("wrong", "inconsistent")]
    if odd:
        names = ", ".join(figure.fact.id for figure in odd)
        yield f"printed otherwise than the paper's own network measures, which is as yours: {names}"


def _list_silent(figures: Sequence[Figure]) -> Iterator[str]:
    """The figures that are not comparable, by reason."""
    reasons: dict[str, list[str]] = {}
    for figure in figures:
        if figure.standing == "not comparable":
            reasons.setdefault(figure.reason, []).append(figure.fact.id)
    for reason, names in reasons.items():
        yield f"not comparable ({len(names)}), {reason}: {', '.join(names)}"


def _fill_figure(figure: Figure) -> AgainstFigure:
    return fill(
        AgainstFigure,
        figure.fact,
        source=figure.source,
        verdict=figure.standing,
        judgement=figure.verdict,
        expected=figure.expected or None,
        measured=figure.measured or None,
        reason=figure.reason,
    )


def _fill_difference(item: Difference) -> AgainstLayer:
    return fill(AgainstLayer, item, verdict="holds" if item.holds else "differs")


def _accuse_figure(figure: Figure, name: str) -> Finding:
    printed = figure.fact.published
    return Finding(
        severity="error",
        code="against-figure",
        message=f"{figure.fact.id} of {name}: printed {printed}, measured {figure.measured}",
        expected=printed,
        measured=figure.measured,
    )


def _accuse_difference(item: Difference, name: str) -> Finding:
    expected, measured = _write(item.expected), _write(item.measured)
    return Finding(
        severity="error",
        code="against-network",
        message=f"{_name_difference(item)} of {name} is {expected}, measured {measured}",
        place=item.theirs,
        expected=expected,
        measured=measured,
    )


def _write(value: Value) -> str:
    """`1,792`, `1x64x224x224`."""
    if isinstance(value, int):
        return format_exact(value)
    return "none" if value is None else "x".join(map(str, value))
