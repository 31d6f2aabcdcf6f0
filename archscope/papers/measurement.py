"""What a measurer returns: a value, its arithmetic, and the reading that is compared with what was printed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TypeAlias

from archscope.core.errors import ArchscopeError

Value: TypeAlias = "int | str | tuple[Value, ...]"
"""A measured value as JSON has it: an integer, a list of sizes or words; a fraction is `(numerator, denominator)`."""


class MeasureError(ArchscopeError):
    """A figure that should be measured cannot be: the network has no such layer, or its forward pass failed."""


class UnavailableError(Exception):
    """A figure cannot be measured on this machine, for want of a package or data; the message is the reason."""


@dataclass(frozen=True, slots=True)
class Amount:
    """One number, compared at the precision of the printed one."""

    value: Fraction
    at: int | None = None
    """Which number of the printed text is meant, by position; None: `printed_number`, or the first."""
    scale: int = 1
    """What the printed text's own unit stands for: 1000 in `35K`."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """Several numbers, compared one by one with those in the printed text."""

    values: tuple[int, ...]
    at: tuple[int, ...] | None = None
    """Which of the printed numbers are meant, by position; None: all of them."""
    pattern: str = ""
    """A regular expression whose matches are the printed numbers meant; empty: any number."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """The words of the source filled with measured numbers, compared as a text; spaces do not matter."""

    text: str
    loosely: bool = False
    """True where the words are right in round terms only."""

    def matches(self, printed: str) -> bool:
        """Whether that is what was printed."""
        return squeeze(self.text) == squeeze(printed)


@dataclass(frozen=True, slots=True)
class Listing:
    """A Python list, compared with the one in the printed text."""

    items: tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class Claim:
    """A statement that the measurement bears out or not."""

    holds: bool
    loosely: bool = False
    """True where it holds in round terms only."""


@dataclass(frozen=True, slots=True)
class Equation:
    """A number that every side of the printed equation must make: `8 + 3 =11 == vgg11`; letters say nothing."""

    value: int


@dataclass(frozen=True, slots=True)
class Sizes:
    """A shape, compared size by size with the printed `[batch,3*32*32]`; `batch` stands for any first size."""

    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Every:
    """Several readings of one figure; each must agree."""

    readings: "tuple[Reading, ...]"


Reading: TypeAlias = Amount | Numbers | Phrase | Listing | Claim | Equation | Sizes | Every


@dataclass(frozen=True, slots=True)
class Convention:
    """Another definition of the printed quantity."""

    name: str
    """`without the fully connected layers`, `biases counted`."""
    reading: Reading


Terms: TypeAlias = Mapping[str, int | Fraction]
"""Numbers by name."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one figure really is."""

    text: str
    """For people: `9,408`, `55x55x96`, or the source's own words with the measured numbers in them."""
    value: Value
    reading: Reading
    arithmetic: str = ""
    """How the value comes about; every `expression = number` in it evaluates."""
    conventions: tuple[Convention, ...] = ()
    """Other definitions under which the printed figure may be right, in the order of trying."""
    conflict: str = ""
    """How the printed figure contradicts another one of the same source; empty where nothing shows that it does."""
    terms: "Terms | Callable[[], Terms]" = field(default_factory=dict)
    """Other measured numbers that the figure's explanation names; a function where they may be missing."""


def measure_amount(value: int, arithmetic: str = "", *conventions: Convention, conflict: str = "") -> Measurement:
    """A count."""
    return Measurement(f"{value:,}", value, Amount(Fraction(value)), arithmetic, conventions, conflict)


def measure_fraction(value: Fraction, text: str, arithmetic: str = "", *, conflict: str = "") -> Measurement:
    """A number that is not whole; its value is `(numerator, denominator)`."""
    pair = (value.numerator, value.denominator)
    return Measurement(text, pair, Amount(value), arithmetic, conflict=conflict)


def measure_numbers(*values: int, text: str = "", arithmetic: str = "") -> Measurement:
    """Sizes: `55x55x96`."""
    return Measurement(text or "x".join(map(str, values)), values, Numbers(values), arithmetic)


def measure_phrase(text: str, value: Value, arithmetic: str = "") -> Measurement:
    """The source's own words."""
    return Measurement(text, value, Phrase(text), arithmetic)


def squeeze(text: str) -> str:
    """A text without what differs between copies: case and spaces."""
    return "".join(text.casefold().split())
