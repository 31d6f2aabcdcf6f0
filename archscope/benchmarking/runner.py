"""Workloads and clocks go in; samples come out, a block at a time, the workloads taking turns."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from archscope.benchmarking.clock import Clock
from archscope.benchmarking.machine import CpuMeter
from archscope.benchmarking.options import BLOCKS
from archscope.benchmarking.statistics import Timing
from archscope.benchmarking.warmup import WarmUp, warm_up
from archscope.benchmarking.workload import Workload

LEAST_BLOCK_MS = 10.0
"""Shorter steps are repeated within a block, so that one interruption does not make a sample."""
MOST_STEPS_OF_BLOCK = 100
WARMUP_SHARE = 0.35
"""Of the time, at most."""
WHOLE = "step"


@dataclass(slots=True)
class TimedWorkload:
    """One workload on its clock, and what was measured of it."""

    workload: Workload
    clock: Clock
    warmth: WarmUp = field(default_factory=lambda: WarmUp(0, False, 0.0))
    steps_of_block: int = 1
    samples: list[tuple[float, ...]] = field(default_factory=list)
    """Per block: milliseconds of each phase, for one step."""
    meter: CpuMeter = field(default_factory=CpuMeter)

    @property
    def complete(self) -> bool:
        """Whether as many blocks were taken as are wanted."""
        return len(self.samples) >= BLOCKS

    def time_step(self) -> float:
        """Milliseconds of one step."""
        marks = self.workload.run(self.clock.mark)
        self.clock.settle()
        return self.clock.between_ms(marks[0], marks[-1])

    def warm_up(self, is_over: Callable[[], bool]) -> None:
        """Run until the step's time has settled, and decide how many steps make a block."""
        self.warmth = warm_up(self.time_step, is_over)
        fits = LEAST_BLOCK_MS / self.warmth.step_ms if self.warmth.step_ms > 0 else 1
        self.steps_of_block = max(1, min(MOST_STEPS_OF_BLOCK, -int(-fits // 1)))

    def run_block(self) -> None:
        """Add one sample: the mean of the block's steps, phase by phase."""
        with self.meter.read():
            marks = [self.workload.run(self.clock.mark) for _ in range(self.steps_of_block)]
            self.clock.settle()
        phases = range(len(self.workload.phases))
        self.samples.append(
            tuple(
                sum(self.clock.between_ms(step[i], step[i + 1]) for step in marks) / self.steps_of_block for i in phases
            )
        )

    def read_timings(self) -> dict[str, Timing]:
        """By phase, and for the whole where there are several; empty before the first block."""
        if not self.samples:
            return {}
        names = self.workload.phases
        timings = {name: Timing(tuple(sample[i] for sample in self.samples)) for i, name in enumerate(names)}
        if len(names) > 1:
            timings[WHOLE] = Timing(tuple(sum(sample) for sample in self.samples))
        return timings


def run_interleaved(lanes: Sequence[TimedWorkload], seconds: float, now: Callable[[], float] = time.monotonic) -> None:
    """Warm each lane up, then run 30 blocks of each, in turns whose order alternates, unless `seconds` end first.

    Every lane gets three blocks at least, and all get as many. An interrupt leaves what was measured.
    """
    end = now() + seconds
    for place, lane in enumerate(lanes):
        share = seconds * WARMUP_SHARE * (place + 1) / len(lanes)
        until = end - seconds + share
        lane.warm_up(lambda until=until: now() >= until)  # type: ignore[misc]
    for round_ in range(BLOCKS):
        for lane in lanes if round_ % 2 == 0 else reversed(lanes):
            lane.run_block()
        if round_ >= 2 and now() >= end:
            return
