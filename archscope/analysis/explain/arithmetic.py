"""What an explanation is made of: lines of arithmetic, each an expression and the number that it evaluates to."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby
from typing import Literal, TypeAlias

from archscope.core.units import format_exact

Number: TypeAlias = int | Fraction

ExplanationKind = Literal["layer", "block", "stack"]


@dataclass(frozen=True, slots=True)
class Line:
    """One quantity and how it comes about."""

    quantity: str
    """`height, width`, `parameters`, `MACs`, ... or, in a block, the part it is about."""
    expression: str = ""
    """Arithmetic in whole numbers with + - * / ( ) floor ceil; empty where the number is read, not computed."""
    value: Number | None = None
    """What the expression evaluates to; None where the answer is no number."""
    text: str = ""
    """The answer for people; the value with its thousands separated where empty."""
    remark: str = ""
    of: str = ""
    """In a block, which sum a part's number belongs to: `parameters` or `MACs`."""
    section: bool = False
    """Whether a new group begins here."""

    @property
    def shown(self) -> str:
        """The answer for people."""
        return self.text or ("" if self.value is None else format_number(self.value))


@dataclass(frozen=True, slots=True)
class Explanation:
    """The arithmetic of one layer, block or stack."""

    kind: ExplanationKind
    path: str
    """Of the layer; of a stack, `first:last`."""
    type: str
    call: int
    """How many times the layer had been called before."""
    title: str
    """`conv1: Conv2d(3 -> 96, kernel 11x11, stride 4, padding 0)`"""
    inputs: tuple[tuple[int, ...], ...]
    outputs: tuple[tuple[int, ...], ...]
    lines: tuple[Line, ...]


def format_number(value: Number) -> str:
    """`34944` -> `34,944`; a fraction as a decimal where it is one, else as a quotient."""
    if isinstance(value, int) or value.denominator == 1:
        return format_exact(int(value))
    decimal = float(value)
    return str(decimal) if Fraction(str(decimal)) == value else f"{value.numerator}/{value.denominator}"


def multiply(factors: Iterable[int], extra: str = "") -> str:
    """`55 * 55 * 96`, with a further factor at the end."""
    words = [str(factor) for factor in factors]
    return " * ".join([*words, extra] if extra else words)


def add_up(numbers: Sequence[int]) -> str:
    """`75008 + 2 * 70400`: equal neighbours are one product."""
    runs = [(number, len(list(run))) for number, run in groupby(numbers)]
    return " + ".join(f"{count} * {number}" if count > 1 else str(number) for number, count in runs)


def add_terms(terms: Sequence[str]) -> str:
    """Products as one sum: equal neighbours once, `3 * (512 * 512 * 3 * 3)`; sums among them in brackets."""
    runs = [(term, len(list(run))) for term, run in groupby(terms)]
    alone = len(runs) == 1
    texts = []
    for term, count in runs:
        if count > 1:
            texts.append(f"{count} * ({term})")
        else:
            texts.append(f"({term})" if " + " in term and not alone else term)
    return " + ".join(texts)


def join_shape(shape: Iterable[int]) -> str:
    """`(96, 55, 55)` -> `96x55x55`."""
    return "x".join(str(size) for size in shape) or "scalar"


def join_sizes(sizes: Sequence[int]) -> str:
    """One number where all are the same: `(2, 2)` -> `2`, `(2, 1)` -> `2x1`."""
    return str(sizes[0]) if len(set(sizes)) == 1 else join_shape(sizes)
