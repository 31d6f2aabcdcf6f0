"""A report goes in; the JSON document of schema `archscope.bench/1` comes out, every sample in it."""

from typing import Any

from archscope.benchmarking.results import BenchReport, TrainingVerdict, VariantResult
from archscope.benchmarking.roofline import Ceiling, LayerTime
from archscope.benchmarking.statistics import Timing
from archscope.benchmarking.workload import BACKWARD, FORWARD, OPTIMIZER
from archscope.machine.environment import DeviceRecord, MachineRecord

SCHEMA = "archscope.bench/1"
PHASES = (FORWARD, BACKWARD, OPTIMIZER, "step")


def build_document(report: BenchReport) -> dict[str, object]:
    """The document; null where something was not measured."""
    machine = report.machine
    return {
        "schema": SCHEMA,
        "archscope": machine.archscope,
        "torch": machine.torch,
        "device": ",".join(device.word for device in machine.devices),
        "threads": machine.threads,
        "machine": _describe_machine(machine),
        "devices": [_describe_device(device) for device in machine.devices],
        "ceilings": [describe_ceiling(ceiling) for ceiling in report.ceilings],
        "channels_last": report.step.channels_last,
        "compiled": report.step.compiled,
        "inference": report.step.inference,
        "interrupted": report.interrupted,
        "targets": [describe_result(result, report) for result in report.results],
    }


def describe_result(result: VariantResult, report: BenchReport) -> dict[str, object]:
    """One target on one device in one precision."""
    ceiling = report.find_ceiling(result.variant)
    timings = {f"{phase}_ms": describe_timing(result.timings.get(phase)) for phase in PHASES}
    return {
        "target": result.target,
        "device": result.variant.device,
        "dtype": result.variant.dtype,
        "batch": result.batch,
        **timings,
        "images_per_second": round_to(result.images_per_second),
        "peak_memory_bytes": result.memory.allocated if result.memory is not None else None,
        "reserved_memory_bytes": result.memory.reserved if result.memory is not None else None,
        "predicted_memory_bytes": result.memory.predicted if result.memory is not None else None,
        "macs": result.macs,
        "flops_per_second": round_to(result.flops_per_second),
        "utilisation": round_to(find_utilisation(result, ceiling.flops_per_second if ceiling else None)),
        "datasheet_utilisation": round_to(find_utilisation(result, ceiling.datasheet_flops if ceiling else None)),
        "first_call_ms": round_to(result.first_call_ms),
        "steps_of_block": result.steps_of_block,
        "settled": result.settled,
        "complete": result.complete,
        "noisy": is_noisy(result),
        "cpu_share": round_to(result.cpu_share),
        "training": describe_verdict(result.training),
        "layers": [describe_layer(layer) for layer in result.layers],
        "whole_of_layers_ms": None if result.whole_of_layers_ms is None else list(result.whole_of_layers_ms),
        "failure": result.failure or None,
    }


def describe_timing(timing: Timing | None) -> dict[str, object] | None:
    """Median, quantiles, interval and every sample, in milliseconds."""
    if timing is None:
        return None
    low, high = timing.interval
    return {
        "median": round_to(timing.median),
        "p10": round_to(timing.p10),
        "p90": round_to(timing.p90),
        "low": round_to(low),
        "high": round_to(high),
        "spread": round_to(timing.spread),
        "samples": [round_to(sample) for sample in timing.samples],
    }


def describe_layer(layer: LayerTime) -> dict[str, object]:
    """One module."""
    return {
        "path": layer.path,
        "type": layer.type,
        "forward_ms": round_to(layer.forward_ms),
        "backward_ms": round_to(layer.backward_ms),
        "macs": layer.macs,
        "bytes": layer.moved_bytes,
        "intensity": round_to(layer.intensity),
        "floor_ms": round_to(layer.floor_ms),
        "bound": layer.bound or None,
    }


def describe_verdict(verdict: TrainingVerdict | None) -> dict[str, object] | None:
    """What the short training came to."""
    if verdict is None:
        return None
    return {
        "verdict": "pass" if verdict.passed else "fail",
        "reason": verdict.reason or None,
        "steps": verdict.steps,
        "data": verdict.data,
        "synthetic": verdict.synthetic,
        "start_loss": round_to(verdict.start_loss),
        "end_loss": round_to(verdict.end_loss),
        "accuracy": round_to(verdict.accuracy),
        "seconds": round_to(verdict.seconds),
    }


def describe_ceiling(ceiling: Ceiling) -> dict[str, object]:
    """What a device can do at most."""
    sheet = ceiling.datasheet
    return {
        "device": ceiling.variant.device,
        "dtype": ceiling.variant.dtype,
        "flops_per_second": round_to(ceiling.flops_per_second),
        "bytes_per_second": round_to(ceiling.bytes_per_second),
        "datasheet": None
        if sheet is None
        else {
            "title": sheet.title,
            "flops_per_second": ceiling.datasheet_flops,
            "bytes_per_second": sheet.bytes_per_second,
        },
    }


def _describe_machine(machine: MachineRecord) -> dict[str, object]:
    return {
        "processors": machine.processors,
        "load": round_to(machine.load),
        "busy": machine.busy,
        "python": machine.python,
        "system": machine.system,
        "cuda": machine.cuda,
        "started": machine.started,
    }


def _describe_device(device: DeviceRecord) -> dict[str, Any]:
    return {
        "device": device.word,
        "name": device.name,
        "memory_bytes": device.memory_bytes,
        "clocks": dict(device.clocks),
    }


def find_utilisation(result: VariantResult, peak: float | None) -> float | None:
    """Achieved FLOP/s as a share of `peak`."""
    achieved = result.flops_per_second
    return achieved / peak if achieved is not None and peak else None


def is_noisy(result: VariantResult) -> bool:
    """Whether the samples lie too far apart."""
    return result.whole is not None and result.whole.noisy


def round_to(value: float | None, digits: int = 6) -> float | None:
    """Six digits that count: more would be noise."""
    return None if value is None else float(f"{value:.{digits}g}")
