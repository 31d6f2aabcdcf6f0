"""ILSVRC 2010 to 2017: the depths under the bars of CS231n's chart, measured, and the table of winners by year.

Errors are records of a competition, which nothing here can measure. What the table compares is one printed figure with
another: the charts of CS231n and of the lecture with the official results. Depths are measured where a network is built
in.
"""

import re
from dataclasses import replace
from fractions import Fraction

from archscope.core.table import Cell, Column, Row, Table
from archscope.papers.layout import AGREES, DIFFERS, CellWriter, round_printed
from archscope.papers.measurement import Measurement, Numbers, measure_amount
from archscope.papers.networks import Networks
from archscope.papers.published import Fact, index_facts
from archscope.papers.registry import Case, Family, Paper

CHART = Paper("ilsvrc_winners")
NETWORKS = {
    "2012": "alexnet_2012",
    "2013": "zfnet",
    "2014": "googlenet",
    "2014.vgg": "vgg19",
    "2015": "resnet152_v1",
}
"""The built-in models among the entries of the chart."""


@CHART.measures(id="ilsvrc.*.layers")
def measure_layers(case: Case) -> Measurement:
    """Layers with weights on the longest way."""
    entry = case.fact.id.removeprefix("ilsvrc.").removesuffix(".layers")
    return measure_amount(case.net(NETWORKS[entry]).depth())


@CHART.measures(id="ilsvrc.years")
def measure_years(case: Case) -> Measurement:
    """Years for which an official winner is printed."""
    years = sorted({fact.year for name, fact in case.facts.items() if name.endswith(".official") and fact.year})
    reading = Numbers((years[0], years[-1]))
    arithmetic = f"{years[-1]} - {years[0]} + 1 = {years[-1] - years[0] + 1}"
    return Measurement(f"{len(years)} years", len(years), reading, arithmetic)


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

COPIED = "copied"
"""What a cell says whose number nobody measured."""
NOTES = (
    "top-5 error on the test set, %, all copied; official: results pages of the challenge; chart: CS231n lecture 9",
    "lecture: its slide; the bar is the error as a share of that of 2010",
    "layers: those with weights, measured, or copied from the chart",
)


def build_winners_table(networks: Networks) -> Table:
    """A row for each year, then what the chart shows beside the winners."""
    return _build(_Winners(networks), COLUMNS)


def build_narrow_winners_table(networks: Networks) -> Table:
    """The same without the chart's labels, for narrow terminals."""
    return _build(_Winners(networks), tuple(column for column in COLUMNS if column.key not in WIDE_ONLY))


def read_number(fact: Fact) -> Fraction:
    """The first number that was printed: of several entries of one team, the one that won."""
    found = re.search(r"\d+(?:\.\d+)?", fact.published)
    if found is None:
        raise ValueError(f"{fact.id}: no number in {fact.published!r}")
    return Fraction(found[0])


def _build(winners: "_Winners", columns: tuple[Column, ...]) -> Table:
    keys = [column.key for column in columns]
    rows = [Row(tuple(winners.build_cell(year, key) for key in keys)) for year in YEARS]
    for number, fact_id in enumerate(OTHERS):
        cells = tuple(winners.build_other(fact_id, key) for key in keys)
        rows.append(Row(cells, kind="body" if number else "section"))
    return Table(
        title="ILSVRC: winners of the classification task and their top-5 errors",
        columns=columns,
        rows=tuple(rows),
        notes=(*NOTES, *winners.notes),
    )


class _Winners:
    """Cells by year and column; footnotes are numbered in the order in which they are first needed."""

    def __init__(self, networks: Networks) -> None:
        self.facts = index_facts(CHART.source)
        self.first = read_number(self.facts[f"ilsvrc.{YEARS[0]}.official"])
        self.notes: list[str] = []
        self._numbers: dict[tuple[int, str], int] = {}
        self._measured = CellWriter(CHART, networks)

    def build_cell(self, year: int, key: str) -> Cell:
        """The cell of a winner."""
        official, chart = self.facts[f"ilsvrc.{year}.official"], self.facts[f"ilsvrc.{year}.plotted"]
        error = read_number(official)
        cells = {
            "year": lambda: Cell(str(year), year),
            "winner": lambda: Cell(official.model),
            "label": lambda: Cell(chart.model),
            "layers": lambda: self._build_layers(f"ilsvrc.{year}.layers"),
            "chart": lambda: self._compare(chart, official, "the chart"),
            "lecture": lambda: self._compare(self.facts[f"ilsvrc.lecture.{year}"], official, "the lecture"),
            "top5_error": lambda: Cell(round_printed(error, 3), float(error)),
            "of_first": lambda: self._build_share(error),
        }
        return cells[key]()

    def build_other(self, fact_id: str, key: str) -> Cell:
        """The cell of what is no winner; the chart's figure is the only one there is."""
        fact = self.facts[fact_id]
        cells = {
            "year": lambda: Cell(str(fact.year), fact.year) if fact.year else Cell(""),
            "winner": lambda: Cell(f"{OTHERS[fact_id]} [{self._add(fact.note)}]", OTHERS[fact_id]),
            "label": lambda: Cell(fact.model),
            "layers": lambda: self._build_layers(f"{fact_id}.layers"),
            "chart": lambda: Cell(fact.published, float(fact.published)),
            "of_first": lambda: self._build_share(read_number(fact)),
        }
        return cells[key]() if key in cells else Cell("")

    def _add(self, note: str) -> int:
        self.notes.append(f"[{len(self.notes) + 1}] {note}")
        return len(self.notes)

    def _build_layers(self, identifier: str) -> Cell:
        """The measured depth; the printed one, which says so, where no network is built in."""
        fact, found = self.facts.get(identifier), self._measured.measure(identifier)
        if fact is None:
            return Cell("")
        printed = int(read_number(fact))
        measured = found.value if found is not None and isinstance(found.value, int) else None
        cell = Cell(f"{printed} {COPIED}", f"{printed} {COPIED}") if measured is None else Cell(str(measured), measured)
        differs = measured not in (None, printed)
        remarks = [f"measured {measured}"] * differs + [fact.note] * bool(fact.note)
        if not remarks:
            return cell if measured is None else replace(cell, judged=AGREES)
        number = self._add(f"{fact.year}, {fact.published}: {'; '.join(remarks)}")
        judged = "" if measured is None else f"{DIFFERS if differs else AGREES} [{number}]"
        return replace(cell, text=f"[{number}] {cell.text}", mark="differs" if differs else "", judged=judged)

    def _compare(self, printed: Fact, official: Fact, who: str) -> Cell:
        """A chart's figure, marked where it is not the winner's official one at its own precision."""
        value = float(printed.published)
        decimals = len(printed.published.partition(".")[2])
        if round_printed(read_number(official), decimals) == printed.published:
            return Cell(printed.published, value, judged=AGREES)
        known = (official.year or 0, printed.published)
        if known not in self._numbers:
            remark = f"{printed.year}: {who} prints {printed.published}, official {official.published}"
            self._numbers[known] = self._add(f"{remark}: {printed.note}" if printed.note else remark)
        number = self._numbers[known]
        return Cell(f"[{number}] {printed.published}", value, mark="differs", judged=f"{DIFFERS} [{number}]")

    def _build_share(self, error: Fraction) -> Cell:
        share = error / self.first
        return Cell(f"{round_printed(100 * share, 0)} %", round(float(share), 6))


PAPERS = (CHART,)
FAMILIES = (Family("ilsvrc", build_winners_table, build_narrow_winners_table),)
