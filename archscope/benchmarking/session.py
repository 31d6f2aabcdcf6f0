"""Targets in words and options go in; what was measured of each comes out, failures as rows with their reasons."""

import gc
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import torch

from archscope.benchmarking.allocation import measure_memory, read_allocated
from archscope.benchmarking.batches import find_largest_batch
from archscope.benchmarking.ceiling import Ceiling, measure_ceiling
from archscope.benchmarking.clock import choose_clock, synchronise
from archscope.benchmarking.datasheet import find_datasheet
from archscope.benchmarking.layers import split_time
from archscope.benchmarking.machine import find_device, record_machine
from archscope.benchmarking.options import ALL_MODELS_BATCH, BenchOptions, Variant
from archscope.benchmarking.prediction import predict_batch, predict_peak
from archscope.benchmarking.preparation import BenchTarget, find_batch, observe_subject, prepare_workload
from archscope.benchmarking.results import BenchReport, Memory, VariantResult
from archscope.benchmarking.roofline import list_work, place_under_roof
from archscope.benchmarking.runner import TimedWorkload, run_interleaved
from archscope.benchmarking.training_check import TrainingCheck, load_check
from archscope.benchmarking.workload import ModelWorkload
from archscope.core.errors import ArchscopeError, UsageError
from archscope.models.registry import list_entries
from archscope.observation import Observed
from archscope.targets.failures import describe_error
from archscope.targets.resolve import resolve_target
from archscope.targets.target import Target
from archscope.tracing.isolation import keep_random_state
from archscope.training.machine import tune_backends


class Listener(Protocol):
    """Who is told how it goes on."""

    def note(self, text: str) -> None:
        """One line."""


class SilentListener:
    """Listens and says nothing."""

    def note(self, text: str) -> None:
        """Ignore it."""


def bench_targets(texts: Sequence[str], options: BenchOptions, listener: Listener) -> BenchReport:
    """Bench every target on every variant; all built-in models where none is named.

    A keyboard interrupt ends it: the report holds what there is and says so. Raises UsageError, UnknownNameError for
    devices and names that are not there, DataError for images that are missing, before anything is measured.
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
            for number, (name, target) in enumerate(found, start=1):
                listener.note(f"{name} ({number} of {len(found)})")
                bench.add(name, target)
        except KeyboardInterrupt:
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
                VariantResult(name, variant, 0, failure=reason, training=verdict) for variant in self.options.variants
            ]
            return
        subject = BenchTarget(target, self.options.inputs, self.options.step)
        runs = [self._prepare(name, subject, variant) for variant in self.options.variants]
        interrupt = None
        try:
            self._measure([run for run in runs if run.lane is not None])
            for run in runs:
                self._look_inside(run)
        except KeyboardInterrupt as error:
            interrupt = error
        self.results += [run.finish(interrupted=interrupt is not None) for run in runs]
        if interrupt is not None:
            raise interrupt
        if self.training is not None:
            self._train(len(runs), name, target)

    def _prepare(self, name: str, subject: BenchTarget, variant: Variant) -> "_Run":
        run = _Run(subject, VariantResult(name, variant, 0), self.devices[variant.device])
        with run.guard():
            batch = self._choose_batch(subject, variant)
            run.start(batch)
        return run

    def _choose_batch(self, subject: BenchTarget, variant: Variant) -> int | None:
        if self.options.batch != "auto":
            return self.options.batch
        device = self.devices[variant.device]
        free, _ = torch.cuda.mem_get_info(device)
        guess = predict_batch(subject, free)

        def fits(batch: int) -> bool:
            try:
                workload = prepare_workload(subject, variant, batch)
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
        return find_largest_batch(fits, guess) or 1

    def _measure(self, runs: "Sequence[_Run]") -> None:
        """All variants in turns."""
        for run in runs:
            if run.result.variant not in self.ceilings:
                self.ceilings[run.result.variant] = self._find_ceiling(run)
        lanes = [run.lane for run in runs if run.lane is not None]
        try:
            run_interleaved(lanes, self.options.seconds * len(lanes))
        except Exception as error:  # noqa: BLE001  a model that fails only now and then; it is told, not swallowed
            for run in runs:
                run.fail(error)

    def _find_ceiling(self, run: "_Run") -> Ceiling | None:
        device = run.device
        sheet = find_datasheet(torch.cuda.get_device_name(device)) if device.type == "cuda" else None
        try:
            return measure_ceiling(device, run.result.variant, sheet)
        except RuntimeError as error:  # no room for it, or no such product in this precision: no utilisation then
            self.listener.note(f"  the ceiling cannot be measured: {describe_error(error)}")
            return None

    def _look_inside(self, run: "_Run") -> None:
        if run.lane is None:
            return
        with run.guard():
            run.read_memory()
        if self.options.layers:
            with run.guard():
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

    subject: BenchTarget
    result: VariantResult
    device: torch.device
    lane: TimedWorkload | None = None
    workload: ModelWorkload | None = None
    observed: Observed | None = None
    before_bytes: int = 0

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Whatever the model raises becomes the reason why there is no row of times."""
        try:
            yield
        except Exception as error:  # noqa: BLE001  somebody's model may raise anything; it is told, not swallowed
            self.fail(error)

    def fail(self, error: Exception) -> None:
        """Keep the reason and let go of the model."""
        self.result = replace(self.result, failure=tell_error(error))
        self.lane = self.workload = None
        free_memory(self.device)

    def start(self, batch: int | None) -> None:
        """Build it and run its first step."""
        self.before_bytes = read_allocated(self.device)
        workload = prepare_workload(self.subject, self.result.variant, batch)
        self.result = replace(self.result, batch=find_batch(workload))
        started = time.perf_counter()
        workload.run(lambda: None)
        synchronise(self.device)
        first_ms = 1e3 * (time.perf_counter() - started)
        self.result = replace(self.result, first_call_ms=first_ms)
        self.workload, self.lane = workload, TimedWorkload(workload, choose_clock(self.device))

    def read_memory(self) -> None:
        """The peak of one step, and what the trace says; the MACs come from it too."""
        assert self.workload is not None, "it has run"
        self.observed = observe_subject(self.subject, self.result.batch)
        memory = measure_memory(self.workload, self.before_bytes)
        predicted = predict_peak(self.subject, self.result.batch)
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
        result, lane = self.result, self.lane
        if lane is not None:
            result = replace(
                result,
                timings=lane.read_timings(),
                steps_of_block=lane.steps_of_block,
                settled=lane.warmth.settled,
                complete=lane.complete,
                cpu_share=lane.meter.find_share(torch.get_num_threads()),
            )
        if not result.timings and not result.failure:
            result = replace(result, failure="interrupted" if interrupted else "nothing was measured")
        self.lane = self.workload = self.observed = None
        free_memory(self.device)
        return result


def free_memory(device: torch.device) -> None:
    """Let the device have back what nobody holds."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


def tell_error(error: Exception) -> str:
    """The reason in one line."""
    if isinstance(error, ArchscopeError):
        text = f"{error.message}; {error.remedy}" if error.remedy else error.message
    elif isinstance(error, torch.OutOfMemoryError):
        text = f"out of memory: {describe_error(error)}"
    else:
        text = describe_error(error)
    return " ".join(text.split())
