"""Medians with their intervals, spreads and verdicts. Pure: nothing is timed here.

Intervals of a median are distribution-free: the order statistics between which it lies with 95 % by the binomial
distribution. Two runs are compared by a bootstrap of the ratio of their medians; two variants whose blocks alternated
are compared block by block, so that what slows both at once cancels.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from math import comb, isfinite
from typing import Literal

CONFIDENCE = 0.95
SURE = 0.99
"""Confidence of a ratio: what is called a difference should be one."""
LEAST_EFFECT_INTERLEAVED = 0.03
"""What alternating blocks of one process can tell apart."""
LEAST_EFFECT_ACROSS_RUNS = 0.10
"""Two runs differ by their processes, their clocks and their neighbours: less than this is no finding."""
NOISY_SPREAD = 0.15
_RESAMPLES = 1_000


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds of one phase, a sample per block, in the order in which they were taken."""

    samples: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle."""
        return find_quantile(self.samples, 0.5)

    @property
    def p10(self) -> float:
        """A tenth of the samples are below."""
        return find_quantile(self.samples, 0.1)

    @property
    def p90(self) -> float:
        """A tenth of the samples are above."""
        return find_quantile(self.samples, 0.9)

    @property
    def spread(self) -> float:
        """From p10 to p90, as a share of the median."""
        return (self.p90 - self.p10) / self.median if self.median else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Where the median lies with 95 %; of less than six samples, from the least to the largest."""
        return find_median_interval(self.samples)

    @property
    def noisy(self) -> bool:
        """Whether the samples lie too far apart for the median to be trusted to a few percent."""
        return self.spread > NOISY_SPREAD


@dataclass(frozen=True, slots=True)
class Ratio:
    """How long the second takes for each unit of the first."""

    ratio: float
    low: float
    high: float
    """With 99 %."""
    least_effect: float
    """The smallest change that is called one."""
    noisy: tuple[str, ...] = ()
    """Which of the runs are too noisy to judge by."""

    @property
    def differs(self) -> bool:
        """Whether the interval leaves out 1, and the change is large enough to be one."""
        certain = self.low > 1 or self.high < 1
        return certain and max(self.ratio, 1 / self.ratio) >= 1 + self.least_effect

    @property
    def verdict(self) -> Literal["slower", "faster", "no difference"] | None:
        """None where a run is noisy: what its median has changed by says nothing."""
        if self.noisy:
            return None
        if not self.differs:
            return "no difference"
        return "slower" if self.ratio > 1 else "faster"


def find_quantile(samples: Sequence[float], share: float) -> float:
    """The value below which `share` of the samples lie, between neighbours in a line. Raises ValueError for none."""
    if not samples:
        raise ValueError("no samples")
    ordered = sorted(samples)
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def find_median_interval(samples: Sequence[float], confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The tightest symmetric pair of order statistics that holds the median with at least `confidence`.

    Of n samples fewer than k lie below the median with the probability of fewer than k heads in n throws.
    """
    if not samples:
        raise ValueError("no samples")
    ordered = sorted(samples)
    count = len(ordered)
    skipped, tail = 0, 1 / 2**count
    while tail + comb(count, skipped + 1) / 2**count <= (1 - confidence) / 2:
        skipped += 1
        tail += comb(count, skipped) / 2**count
    return ordered[skipped], ordered[count - 1 - skipped]


def compare_interleaved(first: Sequence[float], second: Sequence[float]) -> Ratio:
    """The second against the first, whose blocks alternated: the median of the blocks' own ratios."""
    ratios = [b / a for a, b in zip(first, second, strict=True)]
    low, high = find_median_interval(ratios, SURE)
    return Ratio(find_quantile(ratios, 0.5), low, high, LEAST_EFFECT_INTERLEAVED)


def compare_runs(first: Sequence[float], second: Sequence[float], seed: int = 0) -> Ratio:
    """The second against the first, taken at another time: the ratio of the medians, its interval by bootstrap."""
    generator = random.Random(seed)
    drawn = sorted(_draw_median(second, generator) / _draw_median(first, generator) for _ in range(_RESAMPLES))
    low, high = find_quantile(drawn, (1 - SURE) / 2), find_quantile(drawn, (1 + SURE) / 2)
    return Ratio(find_quantile(second, 0.5) / find_quantile(first, 0.5), low, high, LEAST_EFFECT_ACROSS_RUNS)


def _draw_median(samples: Sequence[float], generator: random.Random) -> float:
    return find_quantile(generator.choices(samples, k=len(samples)), 0.5)


def is_settled(medians: Sequence[float], count: int = 5, tolerance: float = 0.02) -> bool:
    """Whether the last `count` medians agree within `tolerance`."""
    last = medians[-count:]
    if len(last) < count or not all(isfinite(value) and value > 0 for value in last):
        return False
    return max(last) / min(last) - 1 <= tolerance
