"""Measured values go in, beside the figures that were printed; cells come out, with a footnote where they differ."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

from archscope.core.table import Cell
from archscope.core.units import format_exact
from archscope.papers.published import Fact

DASH = "-"
"""What a paper prints, and a footnote says, where there is nothing."""


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
class Measured:
    """One cell before it is compared."""

    text: str
    """In the paper's form."""
    value: int | str | None = None
    """For machines; None where the text says it all."""
    short: str = ""
    """For narrow terminals."""


class Ledger:
    """Compares cells with the printed figures and collects the footnotes, one number for all cells of a place."""

    def __init__(self, facts: Mapping[str, Fact], words: Mapping[str, str] | None = None) -> None:
        """`words` name the quantities that a place has several of: `{"macs": "ops"}`."""
        self._facts = facts
        self._words = words or {}
        self._places: dict[str, list[str]] = {}

    def write_number(self, fact_id: str, place: str, measured: int) -> Cell:
        """A number in the form of the printed figure; the number of its footnote stands before it."""
        fact = self._facts[fact_id]
        text = format_like(fact, measured)
        return self.write(fact_id, place, Measured(text, measured), before=True)

    def write(self, fact_id: str | None, place: str, measured: Measured, *, before: bool = False) -> Cell:
        """A cell, marked where its text is not the printed one. Where no figure is known, nothing is compared."""
        fact = self._facts.get(fact_id) if fact_id is not None else None
        if fact is None or normalise(fact.published) == normalise(measured.text):
            return Cell(measured.text, measured.value, short=measured.short)
        number = self._add(place, fact, measured)
        texts = [
            f"[{number}] {text or DASH}" if before else f"{text or DASH} [{number}]"
            for text in (measured.text, measured.short)
        ]
        return Cell(
            texts[0],
            measured.value if measured.value is not None else measured.text or None,
            short=texts[1] if measured.short else "",
            mark="differs",
        )

    def write_phrase(self, fact_id: str, place: str, phrase: str, text: str) -> Cell:
        """A cell that is one phrase of a figure that prints several: `1+2n` of `1+2n layers, 16 filters`."""
        fact = self._facts.get(fact_id)
        if fact is None:
            return Cell(text)
        if normalise(phrase) in [normalise(part) for part in fact.published.split(",")]:
            return Cell(text)
        return self.write(fact_id, place, Measured(text))

    def write_absent(self, fact_id: str, place: str, name: str) -> Cell:
        """The empty cell of a column, marked where the figure prints something for it."""
        fact = self._facts.get(fact_id)
        parts = [part.strip() for part in fact.published.split(",")] if fact else []
        if any(part.startswith(f"{name} ") and part.removeprefix(f"{name} ").isdigit() for part in parts):
            return self.write(fact_id, place, Measured(""))
        return Cell("")

    def list_notes(self) -> tuple[str, ...]:
        """The footnotes, in the order of their numbers."""
        return tuple(
            f"[{number}] {place}: {'; '.join(remarks)}"
            for number, (place, remarks) in enumerate(self._places.items(), start=1)
        )

    def _add(self, place: str, fact: Fact, measured: Measured) -> int:
        exact = format_exact(measured.value) if isinstance(measured.value, int) else ""
        shown = f"{exact} ({measured.text})" if exact else measured.text or DASH
        remark = f"{self._words.get(fact.quantity, '')} printed {fact.published}, measured {shown}".strip()
        self._places.setdefault(place, []).append(f"{remark}: {fact.note}" if fact.note else remark)
        return list(self._places).index(place) + 1
