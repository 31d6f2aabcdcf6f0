"""A step that can be timed goes in; it is run until its time has settled, within bounds."""

from collections.abc import Callable
from dataclasses import dataclass

from archscope.benchmarking.statistics import find_quantile, is_settled

AGREEING = 5
"""Medians that must agree."""
TOLERANCE = 0.02
STEPS_OF_MEDIAN = 3
MOST_STEPS = 300


@dataclass(frozen=True, slots=True)
class WarmUp:
    """How a step settled."""

    steps: int
    settled: bool
    """False where the bound came first."""
    step_ms: float
    """The last median: what a step takes, more or less."""


def warm_up(time_step: Callable[[], float], is_over: Callable[[], bool], most_steps: int = MOST_STEPS) -> WarmUp:
    """Run until five medians of three steps agree within 2 %, `most_steps` are done, or `is_over` says so.

    `time_step` runs one step and returns its milliseconds; at least one is run.
    """
    medians: list[float] = []
    recent: list[float] = []
    steps = 0
    while True:
        recent.append(time_step())
        steps += 1
        if len(recent) == STEPS_OF_MEDIAN:
            medians.append(find_quantile(recent, 0.5))
            recent = []
        if is_settled(medians, AGREEING, TOLERANCE):
            return WarmUp(steps, True, medians[-1])
        if steps >= most_steps or is_over():
            return WarmUp(steps, False, medians[-1] if medians else find_quantile(recent, 0.5))
