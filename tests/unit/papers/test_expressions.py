"""Arithmetic in texts: exact, and nothing but arithmetic."""

from fractions import Fraction
from typing import Any

import pytest

from archscope.papers.expressions import evaluate, fill_text

NAMES: dict[str, Any] = {"value": 1442816, "pair": (7, 2), "prints": {"a.b": Fraction(3, 2)}, "stride": 2}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2*(3 + 4)", 14),
        ("7/2", Fraction(7, 2)),
        ("0.1 + 0.2 == 0.3", True),
        ("value/1024", 1409),
        ("pair[0] // pair[1] + -1", 2),
        ('prints["a.b"] * 2', 3),
        ("floor(7/2) + ceil(7/2) + abs(-1)", 8),
        ("sqrt(16)", 4.0),
        ("stride != 1 or missing", True),
        ("stride == 1 and missing", False),
        ("2**10 % 7", 2),
    ],
)
def test_values(text: str, value: object) -> None:
    assert evaluate(text, NAMES) == value


@pytest.mark.parametrize(
    "text", ["", "1 +", "__import__('os')", "value.real", "lambda: 1", "[1]", "len(pair)", "print(1)"]
)
def test_what_is_no_arithmetic(text: str) -> None:
    with pytest.raises((ValueError, LookupError)):
        evaluate(text, NAMES)


def test_templates() -> None:
    assert fill_text("{value:,}/1024 = {value/1024:.2f}", NAMES) == "1,442,816/1024 = 1409.00"
    assert fill_text("{prints['a.b']:g} and {prints['a.b'] * 2:,}", NAMES) == "1.5 and 3"
    with pytest.raises(KeyError):
        fill_text("{missing}", NAMES)
