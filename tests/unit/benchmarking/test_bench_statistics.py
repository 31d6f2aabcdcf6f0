"""Medians, intervals, ratios and verdicts by hand; nothing is timed."""

import random
from typing import Any

import pytest

from archscope.benchmarking.memory import probe_largest_batch
from archscope.benchmarking.statistics import (
    Timing,
    compare_interleaved,
    compare_runs,
    find_median_interval,
    find_quantile,
    is_settled,
)
from archscope.benchmarking.workload import TimedWorkload, run_interleaved, warm_up


def test_quantiles_lie_between_neighbours() -> None:
    assert find_quantile([4, 1, 3, 2], 0.5) == 2.5
    timing = Timing(tuple(float(value) for value in range(11)))
    assert (timing.p10, timing.median, timing.p90) == (1, 5, 9)
    assert timing.spread == 8 / 5
    assert timing.noisy
    with pytest.raises(ValueError, match="no samples"):
        find_quantile([], 0.5)
    with pytest.raises(ValueError, match="no samples"):
        find_median_interval([])


def test_the_interval_of_a_median_is_binomial() -> None:
    # Of 10 samples 2 at most lie below the median with 56 / 1024 = 5.5 %, 1 at most with 11 / 1024 = 1.1 % < 2.5 %.
    assert find_median_interval(range(1, 11)) == (2, 9)
    # Of 30, 9 at most with 2.14 %, 10 at most with 4.94 %.
    assert find_median_interval(range(1, 31)) == (10, 21)
    assert find_median_interval([5.0, 1.0, 3.0]) == (1.0, 5.0)


def test_the_same_twice_is_no_difference_and_a_fifth_more_is_found() -> None:
    draw = random.Random(1)
    drift = [10 + 5 * (block > 15) for block in range(30)]  # the machine slows down half-way
    first = [base * draw.uniform(0.97, 1.03) for base in drift]
    again = [base * draw.uniform(0.97, 1.03) for base in drift]
    slowed = [1.2 * base * draw.uniform(0.97, 1.03) for base in drift]
    assert compare_interleaved(first, again).verdict == "no difference"
    found = compare_interleaved(first, slowed)
    assert found.verdict == "slower"
    assert found.low < 1.2 < found.high
    assert compare_interleaved(slowed, first).verdict == "faster"


def test_runs_differ_from_a_tenth_on() -> None:
    draw = random.Random(2)
    first = [draw.uniform(9.9, 10.1) for _ in range(30)]
    assert compare_runs(first, [1.05 * sample for sample in first]).verdict == "no difference"
    found = compare_runs(first, [1.2 * sample for sample in first])
    assert found.verdict == "slower"
    assert found.low < 1.2 < found.high
    assert compare_runs(first, [0.8 * sample for sample in first]).verdict == "faster"


def test_five_medians_must_agree() -> None:
    assert is_settled([9, 1, 1.01, 1.005, 1.0, 1.019])
    assert not is_settled([1, 1.01, 1.005, 1.0, 1.021])
    assert not is_settled([1, 1, 1, 1])


def test_warm_up_ends_when_it_is_warm_or_over() -> None:
    times = iter([50.0, 30, 20, 12, 11, 10, *[10.0] * 100])
    warm = warm_up(lambda: next(times), lambda: False)
    assert warm.settled
    assert warm.steps == 21  # medians of three: 30, 11, then five of 10
    assert not warm_up(lambda: 1.0, lambda: True).settled
    climbing = iter(range(1, 1000))
    assert warm_up(lambda: float(next(climbing)), lambda: False, most_steps=60).steps == 60


class Scripted:
    """A workload that takes what it is told to."""

    phases = ("forward", "backward")

    def __init__(self, clock: Any, forward_ms: float, backward_ms: float) -> None:
        self.clock, self.forward_ms, self.backward_ms = clock, forward_ms, backward_ms
        self.runs = 0

    def run(self, mark):
        self.runs += 1
        marks = [mark()]
        for span in (self.forward_ms, self.backward_ms):
            self.clock.advance(span)
            marks.append(mark())
        return marks


def test_thirty_blocks_in_turns_by_a_fake_clock(clock: Any) -> None:
    lanes = [TimedWorkload(Scripted(clock, 1, 2), clock), TimedWorkload(Scripted(clock, 2, 4), clock)]
    run_interleaved(lanes, seconds=100, now=lambda: clock.now_ms / 1e3)
    for lane, scale in zip(lanes, (1, 2), strict=True):
        timings = lane.read_timings()
        assert lane.complete
        assert lane.warmup.settled
        assert lane.steps_of_block == (4 if scale == 1 else 2)  # 10 ms of 3 ms steps, of 6 ms steps
        assert [timings[name].median for name in ("forward", "backward", "step")] == [scale, 2 * scale, 3 * scale]
        assert len(timings["step"].samples) == 30


def test_time_that_ends_first_leaves_three_blocks(clock: Any) -> None:
    lane = TimedWorkload(Scripted(clock, 1000, 1000), clock)
    run_interleaved([lane], seconds=2, now=lambda: clock.now_ms / 1e3)
    assert len(lane.samples) == 3
    assert not lane.complete


@pytest.mark.parametrize("largest", [1, 7, 100, 1000])
@pytest.mark.parametrize("guess", [1, 32, 5000])
def test_the_largest_batch_within_five_percent(largest: int, guess: int) -> None:
    found = probe_largest_batch(lambda batch: batch <= largest, guess)
    assert found <= largest <= max(found * 1.05, found + 1)


def test_no_batch_fits() -> None:
    assert probe_largest_batch(lambda batch: False, 32) == 0
