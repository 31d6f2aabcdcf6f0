"""What is timed, phase by phase, and how: warmed up, then in blocks that take turns with those of other workloads."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from archscope.benchmarking.options import BLOCKS
from archscope.benchmarking.statistics import Timing, find_quantile, is_settled
from archscope.core.documents.bench import Dtype
from archscope.core.errors import ModelError
from archscope.machine.clock import Clock, CpuMeter, Mark
from archscope.machine.precision import autocast, use_precision
from archscope.modules import is_training, iterate_parameters, iterate_tensors_of
from archscope.tracing.structure import iterate_tensors
from archscope.training.evaluation import read_scores

FORWARD, BACKWARD, OPTIMIZER = "forward", "backward", "optimizer"
STEP = "step"
"""The whole: forward, backward and optimizer together."""
RATE = 1e-6
"""So small that the weights hardly change, however many steps are taken."""
MOMENTUM = 0.9

AGREEING = 5
"""Medians that must agree before the time of a step counts as settled."""
TOLERANCE = 0.02
STEPS_OF_MEDIAN = 3
MOST_STEPS = 300
"""Of a warm-up."""
WARMUP_SHARE = 0.35
"""Of the time, at most."""
LEAST_BLOCK_MS = 10.0
"""Shorter steps are repeated within a block, so that a single interruption does not spoil a sample."""
MOST_STEPS_OF_BLOCK = 100


class Workload(Protocol):
    """What is timed."""

    @property
    def phases(self) -> tuple[str, ...]:
        """Names of the phases, in order."""

    def run(self, mark: Callable[[], Mark]) -> list[Mark]:
        """One step: a mark at the start, and one after each phase."""


class ModelWorkload:
    """Forward, backward and the step of SGD with momentum; in inference forward only."""

    def __init__(self, module: nn.Module, inputs: tuple[tuple[Any, ...], Mapping[str, Any]], dtype: Dtype) -> None:
        self.module = module
        self.inputs = inputs
        self.dtype: Dtype = dtype
        self.device = find_module_device(module, inputs)
        trained = [parameter for parameter in iterate_parameters(module) if parameter.requires_grad]
        self.optimizer = torch.optim.SGD(trained, lr=RATE, momentum=MOMENTUM) if trained else None
        self._call: Callable[..., Any] = module

    @property
    def phases(self) -> tuple[str, ...]:
        """All three while the module trains."""
        return (FORWARD, BACKWARD, OPTIMIZER) if is_training(self.module) else (FORWARD,)

    def compile(self) -> None:
        """Go through `torch.compile` from now on."""
        self._call = torch.compile(self.module)

    def run(self, mark: Callable[[], Mark]) -> list[Mark]:
        """One step. The gradients are dropped at its end; the loss belongs to forward."""
        with use_precision(self.device, self.dtype):
            return self._train(mark) if is_training(self.module) else self._infer(mark)

    def _infer(self, mark: Callable[[], Mark]) -> list[Mark]:
        args, kwargs = self.inputs
        with torch.inference_mode():
            start = mark()
            with autocast(self.device, self.dtype):
                self._call(*args, **kwargs)
            return [start, mark()]

    def _train(self, mark: Callable[[], Mark]) -> list[Mark]:
        args, kwargs = self.inputs
        marks = [mark()]
        with autocast(self.device, self.dtype):
            loss = find_loss(self._call(*args, **kwargs))
        marks.append(mark())
        loss.backward()  # type: ignore[no-untyped-call]
        marks.append(mark())
        if self.optimizer is not None:
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)
        marks.append(mark())
        return marks


def find_loss(output: Any) -> Tensor:
    """Cross-entropy against class 0 where the output is class scores; else the mean square of what it returned.

    Raises ModelError where nothing in the output needs a gradient.
    """
    lone = output if isinstance(output, Tensor) else getattr(output, "logits", None)
    if isinstance(lone, Tensor) and lone.dim() == 2 and lone.requires_grad:
        labels = torch.zeros(len(lone), dtype=torch.int64, device=lone.device)
        return read_scores(output, len(lone)).find_loss(labels)
    tensors = [tensor for _, tensor in iterate_tensors(output) if tensor.requires_grad]
    if not tensors:
        raise ModelError("nothing that forward returned can be trained on", "--inference times forward alone")
    losses = [tensor.abs().float().square().mean() for tensor in tensors]
    return torch.stack(losses).sum()


def find_module_device(module: nn.Module, inputs: tuple[tuple[Any, ...], Mapping[str, Any]]) -> torch.device:
    """Where the module's parameters are, else where its inputs are, else the CPU."""
    for tensor in (*iterate_tensors_of(module), *(found for _, found in iterate_tensors(inputs))):
        return tensor.device
    return torch.device("cpu")


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


@dataclass(slots=True)
class TimedWorkload:
    """One workload on its clock, and what was measured of it."""

    workload: Workload
    clock: Clock
    warmup: WarmUp = field(default_factory=lambda: WarmUp(0, False, 0.0))
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
        self.warmup = warm_up(self.time_step, is_over)
        fits = LEAST_BLOCK_MS / self.warmup.step_ms if self.warmup.step_ms > 0 else 1
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
            timings[STEP] = Timing(tuple(sum(sample) for sample in self.samples))
        return timings


def run_interleaved(timed: Sequence[TimedWorkload], seconds: float, now: Callable[[], float] = time.monotonic) -> None:
    """Warm each workload up, then run 30 blocks of each in turns whose order alternates, unless `seconds` end first.

    Each gets three blocks at least, and all get the same number. An interrupt leaves what was measured.
    """
    end = now() + seconds
    for place, item in enumerate(timed):
        share = seconds * WARMUP_SHARE * (place + 1) / len(timed)
        until = end - seconds + share
        item.warm_up(lambda until=until: now() >= until)  # type: ignore[misc]
    for round_ in range(BLOCKS):
        for item in timed if round_ % 2 == 0 else reversed(timed):
            item.run_block()
        if round_ >= 2 and now() >= end:
            return
