"""The slide's rule for adaptive average pooling: its windows against those of torch's own operation.

Where the inputs are their own places, the mean and the variance of what an output averages tell which inputs those are.
"""

import re
from dataclasses import dataclass
from functools import cached_property

import torch
from torch.nn import functional

from archscope.papers.expressions import evaluate
from archscope.papers.lecture.slides import SLIDES
from archscope.papers.measurement import Claim, Measurement, Numbers
from archscope.papers.registry import Case

STRIDE, KERNEL = "input_size // output_size", "input_size - (output_size - 1) * stride"
"""The rules that were meant."""
LARGEST = 32
"""Sizes tried: every output size up to every input size up to this one."""


@dataclass(frozen=True)
class _Pair:
    """One input size with one output size."""

    before: int
    after: int

    @cached_property
    def windows(self) -> tuple[tuple[int, int], ...]:
        """(first, one past the last) input of each output, as torch takes them."""
        places = torch.arange(self.before, dtype=torch.float64).view(1, 1, -1)
        mean, mean_square = (
            functional.adaptive_avg_pool1d(values, self.after).flatten() for values in (places, places**2)
        )
        # n consecutive numbers have the variance (n^2 - 1)/12.
        sizes = (12 * (mean_square - mean**2) + 1).sqrt()
        first = mean - (sizes - 1) / 2
        starts, lengths = first.round().int().tolist(), sizes.round().int().tolist()
        return tuple((start, start + length) for start, length in zip(starts, lengths, strict=True))

    def is_reached(self, kernel: str = KERNEL, stride: str = STRIDE) -> bool:
        """Whether the windows of these rules are torch's."""
        names = {"input_size": self.before, "output_size": self.after}
        names["stride"] = step = evaluate(stride, names)
        size = evaluate(kernel, names)
        return self.windows == tuple((i * step, i * step + size) for i in range(self.after))

    @property
    def divides(self) -> bool:
        """Whether the output size divides the input size or leaves 1."""
        return self.before % self.after in (0, 1)

    @property
    def is_regular(self) -> bool:
        """Whether any one kernel and stride give torch's windows."""
        sizes = {end - start for start, end in self.windows}
        steps = {b[0] - a[0] for a, b in zip(self.windows, self.windows[1:], strict=False)}
        return len(sizes) == 1 and len(steps) <= 1


PAIRS = tuple(_Pair(before, after) for before in range(1, LARGEST + 1) for after in range(1, before + 1))


@SLIDES.measures(id="lecture.adaptive.stride")
def measure_stride(case: Case) -> Measurement:
    """Sizes for which the printed stride gives torch's windows, and when that is."""
    rule = _read_rule(case)
    return _count([pair.is_reached(stride=rule) for pair in PAIRS])


def _read_rule(case: Case) -> str:
    """What stands after the printed `=`; a name before a parenthesis is multiplied by it."""
    return re.sub(r"(\w)\s*\(", r"\1*(", case.fact.published.partition("=")[2])


@SLIDES.measures(id="lecture.adaptive.kernel")
def measure_kernel(case: Case) -> Measurement:
    """The same of the kernel as printed, which lacks its minus: a product."""
    rule = _read_rule(case)
    return _count([pair.is_reached(kernel=rule) for pair in PAIRS])


@SLIDES.measures(id="lecture.adaptive.auto")
def measure_regularity(_: Case) -> Measurement:
    """Sizes for which any one kernel and stride give torch's windows."""
    return _count([pair.is_regular for pair in PAIRS])


def _count(reached: list[bool]) -> Measurement:
    text = f"exact for {sum(reached)} of {len(reached)} pairs of sizes up to {LARGEST}"
    if reached == [pair.divides for pair in PAIRS]:
        text += ": where input mod output is 0 or 1"
    return Measurement(text, (sum(reached), len(reached)), Claim(all(reached)))


@SLIDES.measures(id="lecture.adaptive.padding")
def measure_padding(_: Case) -> Measurement:
    """Zeros that the first window of ones holds: without padding its mean stays one."""
    most = 0
    for pair in PAIRS:
        pooled = functional.adaptive_avg_pool1d(torch.ones(1, 1, pair.before, dtype=torch.float64), pair.after)
        first, end = pair.windows[0]
        most = max(most, round((1 - float(pooled[0, 0, 0])) * (end - first)))
    return Measurement(str(most), most, Numbers((most,)))
