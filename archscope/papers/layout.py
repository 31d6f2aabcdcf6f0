"""The cells of a paper's table: each from its figure's measurement, with a footnote where the paper prints another.

A layout says which figure stands where, by id. An id that no source prints is measured all the same, by the same rules;
its cell is compared with nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

from archscope.core.documents.figures import Verdict
from archscope.core.table import Cell, Column, Row, Table, place_cells
from archscope.core.units import format_exact
from archscope.papers.measurement import MeasureError, Measurement, UnavailableError
from archscope.papers.networks import Networks
from archscope.papers.published import Fact, index_facts, list_sources
from archscope.papers.registry import Case, Paper
from archscope.papers.verdicts import judge_with_reason

AGREES: Verdict = "agrees"
DIFFERS = "differs"
MARKS = Column("marks", "marks")
"""What programs read of a row: which of its cells agree with the printed ones, and what becomes of the others."""

DASH = "-"
"""What a cell and a footnote say where the paper prints something and the network has nothing."""


def round_printed(value: int | Fraction, decimals: int) -> str:
    """`value` with so many decimals, halves rounded up, as a printer would."""
    exact = Fraction(value)
    number = Decimal(exact.numerator) / Decimal(exact.denominator)
    return str(number.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_UP))


def format_like(fact: Fact, measured: int) -> str:
    """`measured` in the form of a printed figure: 9408 like `2.7K` (of 1024) is `9.2K`."""
    decimals = len(fact.printed_number.partition(".")[2])
    number = round_printed(Fraction(measured, fact.scale), decimals)
    return fact.published.replace(fact.printed_number, number, 1)


def normalise(text: str) -> str:
    """A printed text without what differs between copies: case, spaces and thousands separators."""
    return "".join(text.casefold().split()).replace(",", "")


@dataclass(frozen=True, slots=True)
class Shown:
    """What was measured, as a cell shows it."""

    text: str
    """In the paper's form; empty where the network has no such thing."""
    value: int | None = None
    """For machines; None where the text says it all."""
    phrase: str = ""
    """The part of the printed figure that the cell is, where that prints several: `1+2n layers`, `#3x3 128`."""
    leading: bool = False
    """True where the footnote stands before the text, as in columns of numbers."""


class CellWriter:
    """Cells by figure, and their footnotes: one number for all cells of a place."""

    def __init__(self, paper: Paper, networks: Networks, words: Mapping[str, str] | None = None) -> None:
        """`words` name the quantities that one place has several of: `{"macs": "ops"}`."""
        self._paper = paper
        self._networks = networks
        self._facts = index_facts(*list_sources())
        self._words = words or {}
        self._places: dict[str, list[str]] = {}

    def measure(self, identifier: str) -> Measurement | None:
        """Of a figure, printed or not; None where the network has no such thing."""
        fact = self._facts.get(identifier) or _make_unprinted(identifier)
        try:
            return self._paper.measure(Case(fact, self._networks, self._facts))
        except (MeasureError, UnavailableError):
            return None

    def write(self, identifier: str, place: str, reshape: Callable[[str], str] = str) -> Cell:
        """The figure's words; `reshape` gives them the table's own form."""
        return self.compare(identifier, place, Shown(reshape(self._write_text(identifier, self.measure(identifier)))))

    def write_number(self, identifier: str, place: str) -> Cell:
        """A number, in the form of the printed one."""
        found = self.measure(identifier)
        value = found.value if found is not None and isinstance(found.value, int) else None
        return self.compare(identifier, place, Shown(self._write_text(identifier, found), value, leading=True))

    def write_part(self, identifier: str, place: str, name: str) -> Cell:
        """One of the numbers of `#1x1 64, #3x3 reduce 96, ...`, by its name."""
        found, fact = self.measure(identifier), self._facts.get(identifier)
        number = _split_parts(found.text).get(name, "") if found is not None else ""
        if not number and (fact is None or name not in _split_parts(fact.published)):
            return Cell("")
        cell = self.compare(identifier, place, Shown(number, phrase=f"{name} {number}"))
        return replace(cell, value=int(number)) if number else cell

    def compare(self, identifier: str, place: str, shown: Shown) -> Cell:
        """The cell of what is shown, marked where the figure prints something else."""
        fact = self._facts.get(identifier)
        if fact is None or _agrees(fact, shown):
            return Cell(shown.text, shown.value, judged=AGREES if fact is not None else "")
        number = self._add_note(place, fact, shown)
        text = shown.text or DASH
        value = shown.text or None if shown.value is None else shown.value
        return Cell(
            f"[{number}] {text}" if shown.leading else f"{text} [{number}]",
            value,
            mark="differs",
            judged=f"{self._judge(fact)} [{number}]",
        )

    def _judge(self, fact: Fact) -> str:
        """The ledger's verdict; where it has none that says so, that the cell differs."""
        found = self.measure(fact.id)
        verdict = judge_with_reason(fact, found)[0] if found is not None else AGREES
        return DIFFERS if verdict == AGREES else verdict

    def list_notes(self) -> tuple[str, ...]:
        """The footnotes, in the order of their numbers."""
        return tuple(
            f"[{number}] {place}: {'; '.join(remarks)}"
            for number, (place, remarks) in enumerate(self._places.items(), start=1)
        )

    def _write_text(self, identifier: str, found: Measurement | None) -> str:
        fact = self._facts.get(identifier)
        if found is None:
            return ""
        if fact is not None and fact.printed_number and isinstance(found.value, int):
            return format_like(fact, found.value)
        return found.text

    def _add_note(self, place: str, fact: Fact, shown: Shown) -> int:
        exact = format_exact(shown.value) if shown.value is not None else ""
        measured = f"{exact} ({shown.text})" if exact else shown.text or DASH
        remark = f"{self._words.get(fact.quantity, '')} printed {fact.published}, measured {measured}".strip()
        self._places.setdefault(place, []).append(f"{remark}: {fact.note}" if fact.note else remark)
        return list(self._places).index(place) + 1


def mark_rows(table: Table) -> Table:
    """The table with a column for the verdicts on each row's cells: `agrees`, `params: wrong [1]; ops: wrong [1]`."""
    rows = tuple(replace(row, cells=(*row.cells, Cell(_tell_marks(table, row)))) for row in table.rows)
    return replace(table, columns=(*table.columns, MARKS), rows=rows)


def _tell_marks(table: Table, row: Row) -> str:
    judged = [(table.columns[start].key, cell.judged) for start, cell in place_cells(table, row) if cell.judged]
    odd = [f"{key}: {verdict}" for key, verdict in judged if verdict != AGREES]
    return "; ".join(odd) or (AGREES if judged else "")


def span_cells(cells: Sequence[Cell]) -> tuple[Cell, ...]:
    """One cell over all columns where all say the same and none is marked."""
    if len({cell.text for cell in cells}) == 1 and not any(cell.mark for cell in cells):
        return (replace(cells[0], span=len(cells)),)
    return tuple(cells)


def join_distinct(texts: Sequence[str]) -> str:
    """The one text, or all of them where columns disagree."""
    return " / ".join(dict.fromkeys(texts))


def _make_unprinted(identifier: str) -> Fact:
    """A figure that is asked for by its id alone."""
    return Fact(identifier, "", "", "", "", "", "", "trace", confirmed=False)


def _agrees(fact: Fact, shown: Shown) -> bool:
    if shown.phrase:
        return normalise(shown.phrase) in [normalise(part) for part in fact.published.split(",")]
    return normalise(fact.published) == normalise(shown.text)


def _split_parts(text: str) -> dict[str, str]:
    """`#1x1 64, pool proj 32` by name."""
    return {name: number for name, _, number in (part.strip().rpartition(" ") for part in text.split(","))}
