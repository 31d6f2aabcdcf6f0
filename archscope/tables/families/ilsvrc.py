"""Published figures go in; the winners of ILSVRC 2010 to 2017 come out, by year, each with its top-5 error and a bar.

Nothing is traced here: these are records of a competition. What is compared is one printed figure with another: the
charts of CS231n and of the lecture with the official results.
"""

import re
from collections.abc import Mapping
from fractions import Fraction

from archscope.core.table import Cell, Column, Row, Table
from archscope.tables.families.printed import round_printed
from archscope.tables.families.reading import Traced
from archscope.tables.published import Fact, index_facts

YEARS = range(2010, 2018)

COLUMNS = (
    Column("year", "year", kind="number"),
    Column("winner", "winner"),
    Column("label", "in the chart"),
    Column("layers", "layers", align="right", kind="number", optional=True),
    Column("chart", "chart, %", align="right", kind="number"),
    Column("lecture", "lecture, %", align="right", kind="number"),
    Column("top5_error", "official, %", align="right", kind="number"),
    Column("of_first", "of 2010", align="right", kind="share", optional=True),
)
NOTES = (
    "top-5 error on the test set; official: results pages of the challenge; chart: CS231n, lecture 9; lecture: its slide",
    "layers as the chart labels them; the bar is the official error as a share of that of 2010",
)


def build_winners_table(passes: Mapping[str, Traced]) -> Table:
    """The table; `passes` is empty."""
    facts = index_facts("ilsvrc_winners")
    notes: list[str] = []
    first = read_number(facts[f"ilsvrc.{YEARS[0]}.official"])
    rows = [_build_year(year, facts, first, notes) for year in YEARS]
    others = [
        _build_other(facts["ilsvrc.2014.vgg"], facts["ilsvrc.2014.vgg.layers"], first, notes),
        _build_other(facts["ilsvrc.human"], None, first, notes),
    ]
    rows += [Row(row.cells, kind="section" if number == 0 else "body") for number, row in enumerate(others)]
    return Table(
        title="ILSVRC: winners of the classification task and their top-5 errors",
        columns=COLUMNS,
        rows=tuple(rows),
        notes=(*NOTES, *notes),
    )


def read_number(fact: Fact) -> Fraction:
    """The first number that was printed: of several entries of one team, the one that won."""
    found = re.search(r"\d+(?:\.\d+)?", fact.published)
    if found is None:
        raise ValueError(f"{fact.id}: no number in {fact.published!r}")
    return Fraction(found[0])


def _build_year(year: int, facts: Mapping[str, Fact], first: Fraction, notes: list[str]) -> Row:
    official, chart = facts[f"ilsvrc.{year}.official"], facts[f"ilsvrc.{year}.plotted"]
    lecture, layers = facts[f"ilsvrc.lecture.{year}"], facts.get(f"ilsvrc.{year}.layers")
    return Row(
        (
            Cell(str(year), year),
            Cell(official.model),
            Cell(chart.model),
            _build_layers(layers, notes),
            _compare(chart, official, "the chart", notes),
            _compare(lecture, official, "the lecture", notes),
            *_build_error(official, first),
        )
    )


def _build_other(fact: Fact, layers: Fact | None, first: Fraction, notes: list[str]) -> Row:
    """What the chart shows beside the winners; its figure is the only one there is."""
    notes.append(f"[{len(notes) + 1}] {fact.note}")
    return Row(
        (
            Cell(str(fact.year), fact.year) if fact.year else Cell(""),
            Cell(f"no winner [{len(notes)}]"),
            Cell(fact.model),
            _build_layers(layers, notes),
            Cell(fact.published, float(fact.published)),
            Cell(""),
            *(Cell(""), _build_share(read_number(fact), first)),
        )
    )


def _build_layers(fact: Fact | None, notes: list[str]) -> Cell:
    if fact is None:
        return Cell("")
    count = int(read_number(fact))
    if not fact.note:
        return Cell(str(count), count)
    notes.append(f"[{len(notes) + 1}] {fact.year}, {fact.published}: {fact.note}")
    return Cell(f"[{len(notes)}] {count}", count)


def _compare(printed: Fact, official: Fact, who: str, notes: list[str]) -> Cell:
    """A chart's figure, marked where it is not the winner's official one at its own precision."""
    value = float(printed.published)
    decimals = len(printed.published.partition(".")[2])
    if round_printed(read_number(official), decimals) == printed.published:
        return Cell(printed.published, value)
    remark = f"{printed.year}: {who} prints {printed.published}, official {official.published}"
    reason = "" if printed.note.startswith("see ") else printed.note
    notes.append(f"[{len(notes) + 1}] {remark}{f': {reason}' if reason else ''}")
    return Cell(f"[{len(notes)}] {printed.published}", value, mark="differs")


def _build_error(official: Fact, first: Fraction) -> tuple[Cell, Cell]:
    error = read_number(official)
    return Cell(round_printed(error, 3), float(error)), _build_share(error, first)


def _build_share(error: Fraction, first: Fraction) -> Cell:
    return Cell(f"{round_printed(100 * error / first, 0)} %", round(float(error / first), 6))
