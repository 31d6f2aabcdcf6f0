"""Which positions of the input one position along an axis depends on, and how that changes when an operation reads it.

An `Extent` is exact for every position, inside the image and in the padding around it: it repeats with a period, and
each period lies `advance` input positions further. An ordinary convolution has period 1; a transposed one of stride 2
has period 2, since its even and odd outputs meet different parts of the kernel.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from math import gcd, lcm
from typing import TypeAlias

Span: TypeAlias = tuple[int, int] | None
"""First and last input position; None where nothing is read (outputs between the taps of a sparse upsampling)."""

LONGEST_PERIOD = 4096


@dataclass(frozen=True, slots=True)
class Extent:
    """The input positions behind every output position along one axis."""

    spans: tuple[Span, ...] = ((0, 0),)
    """Of the positions 0, 1, ... of the first period."""
    advance: int = 1
    """Input positions from one period to the next."""

    @property
    def period(self) -> int:
        """Output positions after which the pattern repeats."""
        return len(self.spans)

    @property
    def jump(self) -> Fraction:
        """Input positions from one output position to the next, on average: the product of the strides."""
        return Fraction(self.advance, self.period)

    @property
    def size(self) -> int:
        """Input positions that one output position depends on, the most of any."""
        return max((last - first + 1 for first, last in filter(None, self.spans)), default=0)

    @property
    def start(self) -> int:
        """First input position behind output 0; negative in the padding."""
        return next((span[0] for span in self.spans if span), 0)

    @property
    def centre(self) -> Fraction:
        """Middle of the input positions behind output 0."""
        return next((Fraction(span[0] + span[1], 2) for span in self.spans if span), Fraction(0))

    def find_span(self, position: int) -> Span:
        """What output `position` depends on."""
        whole, phase = divmod(position, self.period)
        span = self.spans[phase]
        return None if span is None else (span[0] + whole * self.advance, span[1] + whole * self.advance)


@dataclass(frozen=True, slots=True)
class Reading:
    """What an operation reads along one axis: output o the positions `reads(o)`, and `advance` more a period later."""

    reads: Callable[[int], Iterable[int]]
    period: int = 1
    advance: int = 1


def apply_reading(extent: Extent, reading: Reading) -> Extent | None:
    """The extent of the operation's output; None where its pattern is too long to follow."""
    repeats = extent.period // gcd(extent.period, reading.advance)
    period = repeats * reading.period
    if period > LONGEST_PERIOD:
        return None
    spans = tuple(_unite(extent.find_span(position) for position in reading.reads(output)) for output in range(period))
    return Extent(spans, repeats * reading.advance * extent.advance // extent.period)


def unite_extents(first: Extent, second: Extent) -> Extent | None:
    """What depends on both, position by position; None where they move at different speeds."""
    if first.jump != second.jump:
        return None
    period = lcm(first.period, second.period)
    if period > LONGEST_PERIOD:
        return None
    spans = tuple(_unite((first.find_span(place), second.find_span(place))) for place in range(period))
    return Extent(spans, first.advance * (period // first.period))


def read_window(kernel: int, stride: int, padding: int, dilation: int = 1) -> Reading:
    """A convolution or pool: output o reads `o * stride - padding + dilation * t` for every tap t."""
    return Reading(
        lambda output: range(output * stride - padding, output * stride - padding + dilation * kernel, dilation),
        advance=stride,
    )


def read_transposed(kernel: int, stride: int, padding: int, dilation: int = 1) -> Reading:
    """A transposed convolution: output o is where `input * stride - padding + dilation * t` puts it."""

    def reads(output: int) -> Iterable[int]:
        places = (output + padding - dilation * tap for tap in range(kernel))
        return (place // stride for place in places if place % stride == 0)

    return Reading(reads, period=stride)


def read_adaptive(size: int, outputs: int) -> Reading:
    """An adaptive pool: output o reads from `floor(o * size / outputs)` up to `ceil((o + 1) * size / outputs)`."""
    common = gcd(size, outputs)
    return Reading(
        lambda output: range(output * size // outputs, -(-(output + 1) * size // outputs)),
        outputs // common,
        size // common,
    )


def read_nearest(size: int, outputs: int) -> Reading:
    """Nearest neighbours: output o reads `floor(o * size / outputs)`."""
    common = gcd(size, outputs)
    return Reading(lambda output: (output * size // outputs,), outputs // common, size // common)


def read_interpolated(size: int, outputs: int, taps: int, *, align_corners: bool) -> Reading:
    """Linear (2 taps) or cubic (4 taps) interpolation; on a source position itself only that one is read."""
    if align_corners and outputs > 1:
        step, offset = Fraction(size - 1, outputs - 1), Fraction(0)
    else:
        step = Fraction(size, outputs)
        offset = (step - 1) / 2

    def reads(output: int) -> Iterable[int]:
        source = output * step + offset
        below = source.numerator // source.denominator
        reach = taps // 2
        return (below,) if source == below else range(below - reach + 1, below + reach + 1)

    return Reading(reads, step.denominator, step.numerator)


def _unite(spans: Iterable[Span]) -> Span:
    known = [span for span in spans if span is not None]
    return (min(first for first, _ in known), max(last for _, last in known)) if known else None
