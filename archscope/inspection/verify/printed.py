"""Published texts go in; the numbers in them come out, each with the precision it was printed at.

A number is read with its commas, decimals and powers (`10^-4`), and as a word (`nine`, `thirteen`). `RGB` is three
channels.
"""

import ast
import re
from dataclasses import dataclass
from fractions import Fraction

from archscope.tables.published import Fact

_WORDS = {
    "one": 1,
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
    "ten": 10,
    "eleven": 11,
    "twelve": 12,
    "thirteen": 13,
    "doubled": 2,
    "rgb": 3,
}
_WORD = "|".join(rf"\b{word}\b" for word in _WORDS)
_DIGITS = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?(?:\^-?\d+)?"
_NUMBER = re.compile(rf"(?:(?<![^\s(=])[-+])?{_DIGITS}|{_WORD}", re.I)
"""A sign belongs to a number where nothing stands before it."""


@dataclass(frozen=True, slots=True)
class PrintedNumber:
    """A number with its precision."""

    value: Fraction
    step: Fraction
    """One unit in the last place that the source prints: 1,000,000 for `60 million`, 0.1 for `56.5%`."""


def read_amount(fact: Fact, at: int | None = None) -> PrintedNumber | None:
    """The one number that the figure is: `printed_number * scale`, else that at `at` in its text, else the first.

    None where it is none.
    """
    if at is not None or not fact.printed_number:
        found = list_numbers(fact.published)
        return found[at or 0] if -len(found) <= (at or 0) < len(found) else None
    number = _read(fact.printed_number)
    step = max(number.step, _significant_step(fact))
    return PrintedNumber(number.value * fact.scale, step * fact.scale)


def list_numbers(text: str) -> tuple[PrintedNumber, ...]:
    """Every number in `text`, in order."""
    return tuple(_read(match.group()) for match in _NUMBER.finditer(text))


def find_numbers(text: str, pattern: str) -> tuple[Fraction, ...]:
    """The numbers that `pattern` matches in `text`; every number where it is empty."""
    if not pattern:
        return tuple(number.value for number in list_numbers(text))
    return tuple(_read(found).value for found in re.findall(pattern, text))


def read_list(text: str) -> tuple[int | str, ...] | None:
    """The Python list in `text`, None where there is none."""
    found = re.search(r"\[.*\]", text)
    try:
        items = ast.literal_eval(found.group()) if found else None
    except (SyntaxError, ValueError):
        return None
    return tuple(items) if isinstance(items, list) else None


def _read(text: str) -> PrintedNumber:
    word = _WORDS.get(text.casefold())
    if word is not None:
        return PrintedNumber(Fraction(word), Fraction(1))
    base, power, exponent = text.replace(",", "").partition("^")
    value = Fraction(base) ** int(exponent) if power else Fraction(base)
    decimals = len(base.partition(".")[2])
    step = min(Fraction(1), abs(value)) if power else Fraction(1, 10**decimals)
    return PrintedNumber(value, step)


def _significant_step(fact: Fact) -> Fraction:
    """Where a source keeps N digits, zeros beyond them say nothing: one unit of 650,000 to two digits is 10,000."""
    found = re.search(r"(\d|two|three) significant digits", fact.rounding)
    digits = re.sub(r"\D", "", fact.printed_number.partition(".")[0])
    if not found or fact.printed_number.count("."):
        return Fraction(0)
    kept = int(_WORDS.get(found[1], 0)) or int(found[1])
    return Fraction(10) ** max(0, len(digits) - kept)
