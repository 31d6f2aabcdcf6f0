"""The verdict on a published figure and its measurement, by the rules that `archscope verify --help` states."""

import re
from fractions import Fraction
from math import ceil, floor
from typing import Literal, assert_never, get_args

from archscope.core.documents.figures import Verdict
from archscope.core.errors import UnknownNameError
from archscope.papers.expressions import evaluate
from archscope.papers.measurement import (
    Amount,
    Claim,
    Equation,
    Every,
    Listing,
    Measurement,
    Numbers,
    Phrase,
    Reading,
    Sizes,
)
from archscope.papers.published import Fact, PrintedNumber, find_numbers, read_amount, read_list

VERDICTS: tuple[Verdict, ...] = get_args(Verdict)

RULES: dict[Verdict, str] = {
    "agrees": "the measured value, rounded half up to the last printed digit, is the printed one; words and sizes "
    "match one by one",
    "rounded": "right, but truncated or rounded up: less than one unit of the last printed digit away",
    "convention": "neither, but it agrees under another definition of the quantity, which is named (biases or fully "
    "connected layers counted or not, ...)",
    "inconsistent": "none of these, and another printed figure of the same source contradicts it too, which is shown",
    "wrong": "none of these: the measured value contradicts it",
    "not recomputable": "it compares texts, needs training, data or a competition's record, or nothing printed states "
    "what its settings make",
}
"""The first that fits, in this order. Zeros beyond the significant digits that a source keeps say nothing."""


def find_verdict(word: str) -> Verdict:
    """The verdict of that name, in any case, with hyphens or underscores. Raises UnknownNameError."""
    folded = word.casefold().replace("-", " ").replace("_", " ")
    for verdict in VERDICTS:
        if verdict == folded:
            return verdict
    known = [verdict.replace(" ", "-") for verdict in VERDICTS]
    raise UnknownNameError("verdict", word, known, f"known: {', '.join(known)}")


def judge_with_reason(fact: Fact, measurement: Measurement) -> tuple[Verdict, str]:
    """The verdict, and the convention or the conflict that led to it; empty where none did."""
    verdict = compare(fact, measurement.reading)
    if verdict is not None:
        return verdict, ""
    for convention in measurement.conventions:
        if compare(fact, convention.reading) == "agrees":
            return "convention", convention.name
    if measurement.conflict:
        return "inconsistent", measurement.conflict
    return "wrong", ""


def compare(fact: Fact, reading: Reading) -> Literal["agrees", "rounded"] | None:
    """Whether the printed figure is the reading: exactly as printed, loosely, or not at all."""
    match reading:
        case Amount(value, at, scale):
            printed = read_amount(fact, at)
            return None if printed is None else compare_amounts(printed, value / scale)
        case Numbers(values, at, pattern):
            return "agrees" if _pick(find_numbers(fact.published, pattern), at) == values else None
        case Phrase(loosely=loosely):
            return ("rounded" if loosely else "agrees") if reading.matches(fact.published) else None
        case Listing(items):
            return "agrees" if read_list(fact.published) == items else None
        case Claim(holds, loosely):
            return ("rounded" if loosely else "agrees") if holds else None
        case Equation(total):
            return "agrees" if set(_list_sides(fact.published)) == {total} else None
        case Sizes(values):
            return "agrees" if _list_sizes(fact.published, values) == list(values) else None
        case Every(readings):
            found = [compare(fact, part) for part in readings]
            return None if None in found else "rounded" if "rounded" in found else "agrees"
    assert_never(reading)


def compare_amounts(printed: PrintedNumber, value: Fraction) -> Literal["agrees", "rounded"] | None:
    """`agrees` where `value` rounds half up (away from zero) to the printed number, `rounded` where it was cut."""
    units, target = value / printed.step, printed.value / printed.step
    nearest = floor(abs(units) + Fraction(1, 2)) * (1 if units >= 0 else -1)
    if nearest == target:
        return "agrees"
    return "rounded" if target in (floor(units), ceil(units)) else None


def _pick(numbers: tuple[Fraction, ...], at: tuple[int, ...] | None) -> tuple[Fraction, ...]:
    if at is None:
        return numbers
    return tuple(numbers[index] for index in at) if all(-len(numbers) <= i < len(numbers) for i in at) else ()


def _list_sides(text: str) -> list[object]:
    """What each side of an equation makes; `+1(conv1)` and `+(conv1)` are one layer."""
    plain = re.sub(r"(?<=\d)\([A-Za-z]\w*\)", "", text)
    plain = re.sub(r"[A-Za-z]+", "", re.sub(r"\([A-Za-z]\w*\)", "1", plain))
    try:
        return [evaluate(side, {}) for side in re.split("=+", plain)]
    except ValueError:
        return []


def _list_sizes(text: str, values: tuple[int, ...]) -> list[object]:
    """What stands between the brackets, item by item."""
    inside = re.search(r"\[(.*)\]", text)
    try:
        return [evaluate(item, {"batch": values[0]}) for item in inside[1].split(",")] if inside else []
    except (ValueError, LookupError):
        return []
