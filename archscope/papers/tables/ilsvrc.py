"""Published figures go in; the winners of ILSVRC 2010 to 2017 come out, by year, each with its top-5 error and a bar.

Nothing is traced here: these are records of a competition. What is compared is one printed figure with another: the
charts of CS231n and of the lecture with the official results.
"""

import re
from collections.abc import Mapping
from fractions import Fraction

from archscope.core.table import Cell, Column, Row, Table
from archscope.papers.published import Fact, index_facts
from archscope.papers.tables.printed import round_printed
from archscope.papers.tables.reading import Traced

YEARS = range(2010, 2018)

COLUMNS = (
    Column("year", "year", kind="number"),
    Column("winner", "winner"),
    Column("label", "in the chart"),
    Column("layers", "layers", align="right", kind="number"),
    Column("chart", "chart", unit="%", align="right", kind="number"),
    Column("lecture", "lecture", unit="%", align="right", kind="number"),
    Column("top5_error", "official", unit="%", align="right", kind="number"),
    Column("of_first", "of 2010", align="right", kind="share"),
)
WIDE_ONLY = ("label", "layers")
"""Columns that a narrow terminal does without."""

OTHERS = {"ilsvrc.2014.vgg": "(VGG, second)", "ilsvrc.human": "(human)"}
"""What the CS231n chart shows beside the winners."""

NOTES = (
    "top-5 error on the test set, %; official: results pages of the challenge; chart: CS231n lecture 9; lecture: slide",
    "the bar is the error as a share of that of 2010; layers as the chart labels them",
)


def build_winners_table(passes: Mapping[str, Traced]) -> Table:
    """The table; `passes` is empty."""
    return _build(WinnersBuilder(), COLUMNS)


def build_narrow_winners_table(passes: Mapping[str, Traced]) -> Table:
    """The same without the chart's labels, for narrow terminals."""
    return _build(WinnersBuilder(), tuple(column for column in COLUMNS if column.key not in WIDE_ONLY))


def read_number(fact: Fact) -> Fraction:
    """The first number that was printed: of several entries of one team, the one that won."""
    found = re.search(r"\d+(?:\.\d+)?", fact.published)
    if found is None:
        raise ValueError(f"{fact.id}: no number in {fact.published!r}")
    return Fraction(found[0])


def _build(builder: "WinnersBuilder", columns: tuple[Column, ...]) -> Table:
    keys = [column.key for column in columns]
    rows = [Row(tuple(builder.build_cell(year, key) for key in keys)) for year in YEARS]
    for number, fact_id in enumerate(OTHERS):
        cells = tuple(builder.build_other(fact_id, key) for key in keys)
        rows.append(Row(cells, kind="section" if number == 0 else "body"))
    return Table(
        title="ILSVRC: winners of the classification task and their top-5 errors",
        columns=columns,
        rows=tuple(rows),
        notes=(*NOTES, *builder.notes),
    )


class WinnersBuilder:
    """Cells by year and column; footnotes are numbered in the order in which they are first needed."""

    def __init__(self) -> None:
        self.facts = index_facts("ilsvrc_winners")
        self.first = read_number(self.facts[f"ilsvrc.{YEARS[0]}.official"])
        self.notes: list[str] = []
        self._numbers: dict[tuple[int, str], int] = {}

    def build_cell(self, year: int, key: str) -> Cell:
        """The cell of a winner."""
        official, chart = self.facts[f"ilsvrc.{year}.official"], self.facts[f"ilsvrc.{year}.plotted"]
        error = read_number(official)
        cells = {
            "year": lambda: Cell(str(year), year),
            "winner": lambda: Cell(official.model),
            "label": lambda: Cell(chart.model),
            "layers": lambda: self._build_layers(self.facts.get(f"ilsvrc.{year}.layers")),
            "chart": lambda: self._compare(chart, official, "the chart"),
            "lecture": lambda: self._compare(self.facts[f"ilsvrc.lecture.{year}"], official, "the lecture"),
            "top5_error": lambda: Cell(round_printed(error, 3), float(error)),
            "of_first": lambda: self._build_share(error),
        }
        return cells[key]()

    def build_other(self, fact_id: str, key: str) -> Cell:
        """The cell of what is no winner; the chart's figure is the only one there is."""
        fact, layers = self.facts[fact_id], self.facts.get(f"{fact_id}.layers")
        cells = {
            "year": lambda: Cell(str(fact.year), fact.year) if fact.year else Cell(""),
            "winner": lambda: Cell(f"{OTHERS[fact_id]} [{self._add(fact.note)}]", OTHERS[fact_id]),
            "label": lambda: Cell(fact.model),
            "layers": lambda: self._build_layers(layers),
            "chart": lambda: Cell(fact.published, float(fact.published)),
            "of_first": lambda: self._build_share(read_number(fact)),
        }
        return cells[key]() if key in cells else Cell("")

    def _add(self, note: str) -> int:
        self.notes.append(f"[{len(self.notes) + 1}] {note}")
        return len(self.notes)

    def _build_layers(self, fact: Fact | None) -> Cell:
        if fact is None:
            return Cell("")
        count = int(read_number(fact))
        if not fact.note:
            return Cell(str(count), count)
        return Cell(f"[{self._add(f'{fact.year}, {fact.published}: {fact.note}')}] {count}", count)

    def _compare(self, printed: Fact, official: Fact, who: str) -> Cell:
        """A chart's figure, marked where it is not the winner's official one at its own precision."""
        value = float(printed.published)
        decimals = len(printed.published.partition(".")[2])
        if round_printed(read_number(official), decimals) == printed.published:
            return Cell(printed.published, value)
        known = (official.year or 0, printed.published)
        if known not in self._numbers:
            remark = f"{printed.year}: {who} prints {printed.published}, official {official.published}"
            self._numbers[known] = self._add(f"{remark}: {printed.note}" if printed.note else remark)
        return Cell(f"[{self._numbers[known]}] {printed.published}", value, mark="differs")

    def _build_share(self, error: Fraction) -> Cell:
        share = error / self.first
        return Cell(f"{round_printed(100 * share, 0)} %", round(float(share), 6))
