"""A report as the document `archscope.bench/1`, every sample in it."""

from collections.abc import Sequence
from typing import overload

from archscope.benchmarking.results import BenchReport, TrainingVerdict, VariantResult
from archscope.benchmarking.roofline import Ceiling, LayerTime
from archscope.benchmarking.statistics import Timing
from archscope.benchmarking.workload import BACKWARD, FORWARD, OPTIMIZER
from archscope.core.codec import ABSENT, fill
from archscope.core.documents.bench import (
    BenchDocument,
    CeilingEntry,
    ComparedEntry,
    DatasheetEntry,
    DeviceEntry,
    LayerTimeEntry,
    MachineEntry,
    TargetEntry,
    TimingEntry,
    TrainingEntry,
)

PHASES = (FORWARD, BACKWARD, OPTIMIZER, "step")


def build_document(report: BenchReport, compared: Sequence[ComparedEntry] | None = None) -> BenchDocument:
    """The document, with what an older run is `compared` to; null where something was not measured."""
    machine = report.machine
    return fill(
        BenchDocument,
        machine,
        device=",".join(device.word for device in machine.devices),
        machine=fill(MachineEntry, machine, load=round_to(machine.load)),
        devices=tuple(
            fill(DeviceEntry, device, device=device.word, clocks=dict(device.clocks)) for device in machine.devices
        ),
        ceilings=tuple(map(build_ceiling, report.ceilings)),
        channels_last=report.step.channels_last,
        compiled=report.step.compiled,
        inference=report.step.inference,
        interrupted=report.interrupted,
        targets=tuple(build_target(result, report) for result in report.results),
        compared=ABSENT if compared is None else tuple(compared),
    )


def build_target(result: VariantResult, report: BenchReport) -> TargetEntry:
    """One target on one device in one precision."""
    ceiling, memory = report.find_ceiling(result.variant), result.memory
    return fill(
        TargetEntry,
        result,
        device=result.variant.device,
        dtype=result.variant.dtype,
        **{f"{phase}_ms": build_timing(result.timings.get(phase)) for phase in PHASES},
        images_per_second=round_to(result.images_per_second),
        peak_memory_bytes=None if memory is None else memory.allocated,
        reserved_memory_bytes=None if memory is None else memory.reserved,
        predicted_memory_bytes=None if memory is None else memory.predicted,
        flops_per_second=round_to(result.flops_per_second),
        utilisation=round_to(find_utilisation(result, ceiling.flops_per_second if ceiling else None)),
        datasheet_utilisation=round_to(find_utilisation(result, ceiling.datasheet_flops if ceiling else None)),
        first_call_ms=round_to(result.first_call_ms),
        noisy=is_noisy(result),
        cpu_share=round_to(result.cpu_share),
        training=build_training(result.training),
        layers=tuple(map(build_layer, result.layers)),
        failure=result.failure or None,
    )


def build_timing(timing: Timing | None) -> TimingEntry | None:
    """Median, quantiles, interval and every sample, in milliseconds."""
    if timing is None:
        return None
    low, high = timing.interval
    return TimingEntry(
        median=round_to(timing.median),
        p10=round_to(timing.p10),
        p90=round_to(timing.p90),
        low=round_to(low),
        high=round_to(high),
        spread=round_to(timing.spread),
        samples=tuple(map(round_to, timing.samples)),
    )


def build_layer(layer: LayerTime) -> LayerTimeEntry:
    """One module."""
    return fill(
        LayerTimeEntry,
        layer,
        forward_ms=round_to(layer.forward_ms),
        backward_ms=round_to(layer.backward_ms),
        bytes=layer.moved_bytes,
        intensity=round_to(layer.intensity),
        floor_ms=round_to(layer.floor_ms),
        bound=layer.bound or None,
    )


def build_training(verdict: TrainingVerdict | None) -> TrainingEntry | None:
    """What the short training came to."""
    if verdict is None:
        return None
    return fill(
        TrainingEntry,
        verdict,
        verdict="pass" if verdict.passed else "fail",
        reason=verdict.reason or None,
        start_loss=round_to(verdict.start_loss),
        end_loss=round_to(verdict.end_loss),
        accuracy=round_to(verdict.accuracy),
        seconds=round_to(verdict.seconds),
    )


def build_ceiling(ceiling: Ceiling) -> CeilingEntry:
    """What a device can do at most."""
    sheet = ceiling.datasheet
    return CeilingEntry(
        device=ceiling.variant.device,
        dtype=ceiling.variant.dtype,
        flops_per_second=round_to(ceiling.flops_per_second),
        bytes_per_second=round_to(ceiling.bytes_per_second),
        datasheet=None if sheet is None else fill(DatasheetEntry, sheet, flops_per_second=ceiling.datasheet_flops),
    )


def find_utilisation(result: VariantResult, peak: float | None) -> float | None:
    """Achieved FLOP/s as a share of `peak`."""
    achieved = result.flops_per_second
    return achieved / peak if achieved is not None and peak else None


def is_noisy(result: VariantResult) -> bool:
    """Whether the samples lie too far apart."""
    return result.whole is not None and result.whole.noisy


@overload
def round_to(value: float, digits: int = 6) -> float: ...
@overload
def round_to(value: None, digits: int = 6) -> None: ...
@overload
def round_to(value: float | None, digits: int = 6) -> float | None: ...
def round_to(value: float | None, digits: int = 6) -> float | None:
    """Six digits that count: more would be noise."""
    return None if value is None else float(f"{value:.{digits}g}")
