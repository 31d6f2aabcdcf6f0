"""A benchmark of several targets: each is built, timed, and looked into; a failure is a row with its reason."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import torch

from archscope.benchmarking.layers import split_time
from archscope.benchmarking.memory import (
    measure_memory,
    predict_batch,
    predict_peak,
    probe_largest_batch,
    read_allocated,
)
from archscope.benchmarking.options import ALL_MODELS_BATCH, BenchOptions, Variant
from archscope.benchmarking.preparation import (
    BenchTarget,
    find_batch,
    observe_bench_target,
    prepare_workload,
    settle_specs,
)
from archscope.benchmarking.results import BenchReport, Memory, VariantResult
from archscope.benchmarking.roofline import Ceiling, find_datasheet, list_work, measure_ceiling, place_under_roof
from archscope.benchmarking.training_check import TrainingCheck, load_check
from archscope.benchmarking.workload import ModelWorkload, TimedWorkload, run_interleaved
from archscope.core.errors import ArchscopeError, ModelError, UsageError, is_interrupt, pass_interrupt
from archscope.core.progress import show_stage, track
from archscope.machine.clock import choose_clock
from archscope.machine.device import find_device, free_memory, synchronise, tune_backends
from archscope.machine.environment import record_machine
from archscope.models.registry import list_entries
from archscope.observation import Observed
from archscope.targets.failures import describe_error
from archscope.targets.resolve import resolve_target
from archscope.targets.target import Target
from archscope.tracing.isolation import keep_random_state


class Listener(Protocol):
    """Who is told about the progress."""

    def note(self, text: str) -> None:
        """One line."""


class SilentListener:
    """Listens and says nothing."""

    def note(self, text: str) -> None:
        """Ignore it."""


def bench_targets(texts: Sequence[str], options: BenchOptions, listener: Listener) -> BenchReport:
    """Measure every target on every variant; all built-in models where none is named.

    A keyboard interrupt ends it: the report holds what there is and says so. Raises UsageError, UnknownNameError for
    devices and names that do not exist, DataError for missing images, before anything is measured.
    """
    with tune_backends(options.threads):
        return _bench(texts, options, listener)


def _bench(texts: Sequence[str], options: BenchOptions, listener: Listener) -> BenchReport:
    devices = {variant.device: find_device(variant.device) for variant in options.variants}
    _check_cuda_only(options, devices)
    if options.batch is None and not texts:
        options = replace(options, batch=ALL_MODELS_BATCH)
    names = texts or tuple(entry.name for entry in list_entries())
    found = [(name, _find_target(name, options.arguments)) for name in names]
    training = load_check(options.training) if options.training is not None else None
    machine = record_machine(tuple(devices))
    with keep_random_state():
        bench = _Bench(options, listener, devices, training)
        interrupted = False
        try:
            listed = track(found, "timing", "models")
            for number, (name, target) in enumerate(listed, start=1):
                listener.note(f"{name} ({number} of {len(found)})")
                bench.add(name, target)
        except KeyboardInterrupt as error:
            if not is_interrupt(error):
                raise
            interrupted = True
    ceilings = tuple(ceiling for ceiling in bench.ceilings.values() if ceiling is not None)
    return BenchReport(tuple(bench.results), machine, ceilings, options.step, interrupted)


def _check_cuda_only(options: BenchOptions, devices: Mapping[str, torch.device]) -> None:
    for variant in options.variants:
        if devices[variant.device].type == "cuda":
            continue
        if variant.dtype == "tf32":
            raise UsageError(f"--dtype tf32 goes with --device cuda only, not {variant.device}", "fp32 runs everywhere")
        if options.batch == "auto":
            raise UsageError(
                f"--batch auto goes with --device cuda only, not {variant.device}", "name a batch: --batch 32"
            )


def _find_target(name: str, arguments: Mapping[str, Any]) -> Target | ArchscopeError:
    """The target, or why it cannot be loaded. Raises UsageError and its kinds: what was typed is wrong."""
    try:
        return resolve_target(name, arguments)
    except UsageError:
        raise
    except ArchscopeError as error:
        return error


@dataclass(slots=True)
class _Bench:
    """Measures one target after the other."""

    options: BenchOptions
    listener: Listener
    devices: Mapping[str, torch.device]
    training: TrainingCheck | None
    results: list[VariantResult] = field(default_factory=list)
    ceilings: dict[Variant, Ceiling | None] = field(default_factory=dict)

    def add(self, name: str, target: Target | ArchscopeError) -> None:
        """One row for each variant. A keyboard interrupt passes through, with a row where anything was measured."""
        if isinstance(target, ArchscopeError):
            reason = tell_error(target)
            verdict = self.training.fail(reason) if self.training is not None else None
            self.results += [
                VariantResult(name, variant, 0, failure=reason, exit_code=target.exit_code, training=verdict)
                for variant in self.options.variants
            ]
            return
        with target.scope():
            self._add_target(name, target)

    def _add_target(self, name: str, target: Target) -> None:
        bench_target = BenchTarget(target, settle_specs(target, self.options.inputs), self.options.step)
        runs = [self._prepare(name, bench_target, variant) for variant in self.options.variants]
        interrupt = None
        try:
            self._measure([run for run in runs if run.timed is not None])
            for run in runs:
                self._look_inside(run)
        except KeyboardInterrupt as error:
            if not is_interrupt(error):
                raise
            interrupt = error
        self.results += [run.finish(interrupted=interrupt is not None) for run in runs]
        if interrupt is not None:
            raise interrupt
        if self.training is not None:
            self._train(len(runs), name, target)

    def _prepare(self, name: str, bench_target: BenchTarget, variant: Variant) -> "_Run":
        run = _Run(bench_target, VariantResult(name, variant, 0), self.devices[variant.device])
        with run.guard():
            batch = self._choose_batch(bench_target, variant)
            run.start(batch)
        return run

    def _choose_batch(self, bench_target: BenchTarget, variant: Variant) -> int | None:
        if self.options.batch != "auto":
            return self.options.batch
        device = self.devices[variant.device]
        free, _ = torch.cuda.mem_get_info(device)
        guess = predict_batch(bench_target, free, variant.dtype)

        def fits(batch: int) -> bool:
            try:
                workload = prepare_workload(bench_target, variant, batch)
                for _ in range(2):
                    workload.run(lambda: None)
                synchronise(device)
            except torch.OutOfMemoryError:
                return False
            finally:
                workload = None  # type: ignore[assignment]
                free_memory(device)
            return True

        self.listener.note(f"  looking for the largest batch, from {guess}")
        return probe_largest_batch(fits, guess) or 1

    def _measure(self, runs: "Sequence[_Run]") -> None:
        """All variants in turns."""
        for run in runs:
            if run.result.variant not in self.ceilings:
                self.ceilings[run.result.variant] = self._find_ceiling(run)
        timed = [run.timed for run in runs if run.timed is not None]
        try:
            seconds = self.options.seconds * len(timed)
            with show_stage("timing steps", seconds, "s", detail=", ".join(run.result.variant.label for run in runs)):
                run_interleaved(timed, seconds)
        except BaseException as error:  # noqa: BLE001  a model that fails only now and then; it is told, not swallowed
            pass_interrupt(error)
            for run in runs:
                run.fail(error)

    def _find_ceiling(self, run: "_Run") -> Ceiling | None:
        device = run.device
        sheet = find_datasheet(torch.cuda.get_device_name(device)) if device.type == "cuda" else None
        try:
            return measure_ceiling(device, run.result.variant, sheet)
        except RuntimeError as error:  # no memory for it, or no such product in this precision
            self.listener.note(f"  the ceiling cannot be measured: {describe_error(error)}")
            return None

    def _look_inside(self, run: "_Run") -> None:
        if run.timed is None:
            return
        with run.guard():
            run.read_memory()
        if self.options.layers and run.timed is not None:
            with run.guard(), show_stage("timing layers", detail=run.result.target):
                run.read_layers(self.ceilings.get(run.result.variant), self.options.seconds)

    def _train(self, count: int, name: str, target: Target) -> None:
        assert self.training is not None, "asked for"
        for place in range(len(self.results) - count, len(self.results)):
            result = self.results[place]
            device = self.devices[result.variant.device]
            self.listener.note(f"  short training on {result.variant.device}")
            verdict = self.training.check(name, target.arguments or self.options.arguments, device)
            self.results[place] = replace(result, training=verdict)
            free_memory(device)


@dataclass(slots=True)
class _Run:
    """One target on one variant, from building it to its row."""

    bench_target: BenchTarget
    result: VariantResult
    device: torch.device
    timed: TimedWorkload | None = None
    workload: ModelWorkload | None = None
    observed: Observed | None = None
    before_bytes: int = 0

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Whatever the model raises becomes the reason why there is no row of times."""
        try:
            yield
        except BaseException as error:  # noqa: BLE001  somebody's model may raise anything; it is told, not swallowed
            pass_interrupt(error)
            self.fail(error)

    def fail(self, error: BaseException) -> None:
        """Keep the reason and let go of the model."""
        code = error.exit_code if isinstance(error, ArchscopeError) else ModelError.exit_code
        self.result = replace(self.result, failure=tell_error(error), exit_code=code)
        self.timed = self.workload = None
        free_memory(self.device)

    def start(self, batch: int | None) -> None:
        """Build it and run its first step."""
        self.before_bytes = read_allocated(self.device)
        workload = prepare_workload(self.bench_target, self.result.variant, batch)
        self.result = replace(self.result, batch=find_batch(workload))
        started = time.perf_counter()
        workload.run(lambda: None)
        synchronise(self.device)
        first_ms = 1e3 * (time.perf_counter() - started)
        self.result = replace(self.result, first_call_ms=first_ms)
        self.workload, self.timed = workload, TimedWorkload(workload, choose_clock(self.device))

    def read_memory(self) -> None:
        """The peak of one step, and what the trace says; the MACs come from it too."""
        assert self.workload is not None, "it has run"
        self.observed = observe_bench_target(self.bench_target, self.result.batch)
        memory = measure_memory(self.workload, self.before_bytes)
        predicted = predict_peak(self.bench_target, self.result.batch, self.result.variant.dtype)
        self.result = replace(
            self.result,
            macs=self.observed.costs.macs,
            memory=Memory(memory.allocated, memory.reserved, predicted),
        )

    def read_layers(self, ceiling: Ceiling | None, seconds: float) -> None:
        """Time per module, under the roof."""
        assert self.workload is not None, "it has run"
        assert self.observed is not None, "its memory was read"
        split = split_time(self.workload, choose_clock(self.device), seconds)
        scale = 0.5 if self.result.variant.dtype in ("bf16", "fp16") else 1.0
        work = list_work(self.observed.trace, self.observed.costs, scale)
        self.result = replace(
            self.result,
            layers=place_under_roof(split, work, ceiling),
            whole_of_layers_ms=(split.whole_forward_ms, split.whole_backward_ms),
        )

    def finish(self, *, interrupted: bool) -> VariantResult:
        """The row. The model is let go of."""
        result, timed = self.result, self.timed
        if timed is not None:
            result = replace(
                result,
                timings=timed.read_timings(),
                steps_of_block=timed.steps_of_block,
                settled=timed.warmup.settled,
                complete=timed.complete,
                cpu_share=timed.meter.find_share(torch.get_num_threads()),
            )
        if not result.timings and not result.failure:
            result = replace(result, failure="interrupted" if interrupted else "nothing was measured")
        self.timed = self.workload = self.observed = None
        free_memory(self.device)
        return result


def tell_error(error: BaseException) -> str:
    """The reason in one line."""
    if isinstance(error, ArchscopeError):
        text = f"{error.message}; {error.remedy}" if error.remedy else error.message
    elif isinstance(error, torch.OutOfMemoryError):
        text = f"out of memory: {describe_error(error)}"
    else:
        text = describe_error(error)
    return " ".join(text.split())
