"""By hand: does `archscope bench` agree with torch.utils.benchmark, with itself, and with what was done on purpose?

    python tests/benchmarks/bench_agreement.py [MODEL] [THREADS]

Every figure is a ratio of times taken in turns in one process; the goals stand beside them.
"""

import sys
import time

import torch
from torch.utils.benchmark import Timer

from archscope.benchmarking.layers import split_time
from archscope.benchmarking.statistics import Ratio, compare_interleaved, find_quantile
from archscope.benchmarking.workload import ModelWorkload, TimedWorkload, run_interleaved
from archscope.machine.clock import HostClock
from archscope.models.registry import build_model, default_input_shape

CPU = torch.device("cpu")
ROUNDS = 30


def make_workload(name: str) -> ModelWorkload:
    module = build_model(name).train()
    return ModelWorkload(module, ((torch.randn(1, *default_input_shape(name)),), {}), "fp32")


class Slowed:
    """The same step, made to take a fifth longer."""

    def __init__(self, workload: ModelWorkload) -> None:
        self.workload, self.phases = workload, workload.phases

    def run(self, mark):
        started = time.perf_counter()
        marks = self.workload.run(mark)
        until = time.perf_counter() + 0.2 * (time.perf_counter() - started)
        while time.perf_counter() < until:
            pass
        marks[-1] = mark()
        return marks


def compare_lanes(first, second) -> Ratio:
    lanes = [TimedWorkload(first, HostClock(CPU)), TimedWorkload(second, HostClock(CPU))]
    run_interleaved(lanes, seconds=120)
    return compare_interleaved(*(lane.read_timings()["step"].samples for lane in lanes))


def compare_with_torch(workload: ModelWorkload) -> float:
    timer = Timer("step()", globals={"step": lambda: workload.run(lambda: None)}, num_threads=torch.get_num_threads())
    lane = TimedWorkload(workload, HostClock(CPU))
    lane.warm_up(lambda: False)
    theirs = []
    for _ in range(ROUNDS):
        lane.run_block()
        theirs.append(1e3 * timer.timeit(lane.steps_of_block).mean)
    return lane.read_timings()["step"].median / find_quantile(theirs, 0.5)


def tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    name = sys.argv[1] if len(sys.argv) > 1 else "resnet18"
    torch.set_num_threads(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    workload = make_workload(name)
    tell(f"{name}, batch 1, {torch.get_num_threads()} threads")
    tell(f"step / torch.utils.benchmark: {compare_with_torch(workload):.3f} (goal: 0.95 to 1.05)")
    for title, second, goal in (("A/A", workload, "no difference"), ("slowed by 20 %", Slowed(workload), "slower")):
        ratio = compare_lanes(workload, second)
        tell(f"{title}: {ratio.ratio:.3f} ({ratio.low:.3f} to {ratio.high:.3f}), {ratio.verdict} (goal: {goal})")
    split = split_time(workload, HostClock(CPU), seconds=60)
    for phase, parts, whole in (
        ("forward", split.forward_ms, split.whole_forward_ms),
        ("backward", split.backward_ms, split.whole_backward_ms),
    ):
        tell(f"{phase}: modules / whole {sum(parts.values()) / (whole or 1):.3f} (goal: 0.90 to 1.10)")


if __name__ == "__main__":
    main()
