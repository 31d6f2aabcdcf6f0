"""What each module does, what bounds it, and how near it comes to what its device reaches at most."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import torch

from archscope.benchmarking.layers import LOSS_PATH, Split
from archscope.benchmarking.options import Variant
from archscope.core.cost import CostReport
from archscope.core.documents.bench import Dtype
from archscope.core.operators import find_operator
from archscope.core.trace import OpRecord, Trace
from archscope.machine.clock import Clock, choose_clock
from archscope.machine.precision import find_compute_dtype, use_precision

_SIDES = {"cuda": 8192}
_CPU_SIDE = 1536
_COPIED_BYTES = {"cuda": 1 << 30}
_CPU_COPIED_BYTES = 128 << 20
"""Far more than any cache holds."""
TRIALS = 8


@dataclass(frozen=True, slots=True)
class Datasheet:
    """What the maker of a device says it can do."""

    title: str
    flops_per_second: Mapping[str, float]
    """By precision; a precision that the device lacks is absent."""
    bytes_per_second: float

    def find_peak(self, dtype: Dtype) -> float | None:
        """FLOP/s of dense products; None where the maker gives none."""
        return self.flops_per_second.get(dtype)


def find_datasheet(device_name: str) -> Datasheet | None:
    """The first row of the table whose words all occur in the name as whole words; None where there is none."""
    words = set(device_name.casefold().replace("-", " ").split())
    for row in _load_rows():
        if all(word.casefold() in words for word in row["words"]):
            peaks = {name: row[name] * 1e12 for name in ("fp32", "tf32", "bf16", "fp16") if row[name] is not None}
            return Datasheet(row["title"], peaks, row["bandwidth"] * 1e9)
    return None


@cache
def _load_rows() -> tuple[dict[str, Any], ...]:
    text = resources.files("archscope.benchmarking").joinpath("datasheet.json").read_text(encoding="utf-8")
    return tuple(json.loads(text)["devices"])


@dataclass(frozen=True, slots=True)
class Ceiling:
    """The most that a device reached in one precision."""

    variant: Variant
    flops_per_second: float
    """The best of eight square products."""
    bytes_per_second: float
    """The best of eight copies; reading and writing both count."""
    datasheet: Datasheet | None = None

    @property
    def ridge(self) -> float:
        """FLOPs a byte where computing begins to take longer than moving."""
        return self.flops_per_second / self.bytes_per_second

    @property
    def datasheet_flops(self) -> float | None:
        """What the maker says for this precision."""
        return self.datasheet.find_peak(self.variant.dtype) if self.datasheet is not None else None


def measure_ceiling(device: torch.device, variant: Variant, datasheet: Datasheet | None) -> Ceiling:
    """Time a product and a copy. What torch raises (an operation missing in this precision) passes through."""
    side = _SIDES.get(device.type, _CPU_SIDE)
    dtype = find_compute_dtype(variant.dtype)
    with torch.no_grad(), use_precision(device, variant.dtype):
        product_ms = _time_product(side, device, dtype)
        count = _COPIED_BYTES.get(device.type, _CPU_COPIED_BYTES) // 4
        copy_ms = _time_copy(count, device)
    return Ceiling(variant, 2e3 * side**3 / product_ms, 2e3 * 4 * count / copy_ms, datasheet)


def _time_product(side: int, device: torch.device, dtype: torch.dtype) -> float:
    left, right = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    product = torch.empty(side, side, device=device, dtype=dtype)
    return find_best(lambda: torch.mm(left, right, out=product), choose_clock(device))


def _time_copy(count: int, device: torch.device) -> float:
    source = torch.zeros(count, device=device)
    copy = torch.empty_like(source)
    return find_best(lambda: copy.copy_(source), choose_clock(device))


def find_best(work: Callable[[], object], clock: Clock, trials: int = TRIALS) -> float:
    """The least milliseconds of `trials` runs, after two that do not count."""
    for _ in range(2):
        work()
    times = []
    for _ in range(trials):
        start = clock.mark()
        work()
        end = clock.mark()
        clock.settle()
        times.append(clock.between_ms(start, end))
    return min(times)


@dataclass(frozen=True, slots=True)
class Work:
    """What one module's own operations do in forward."""

    type: str
    macs: int | None
    moved_bytes: int


@dataclass(frozen=True, slots=True)
class LayerTime:
    """One module's own time, without that of the modules it calls."""

    path: str
    type: str
    forward_ms: float
    backward_ms: float | None
    macs: int | None
    """Of forward; None where they cannot be counted."""
    moved_bytes: int
    """What its operations read and write in forward, each by itself, as eager torch runs them."""
    floor_ms: float | None
    """What forward would take at the machine's ceilings; None where the MACs are not known."""
    bound: str
    """`compute`, `memory`, or nothing where that is unknown."""

    @property
    def intensity(self) -> float | None:
        """FLOPs a byte."""
        return 2 * self.macs / self.moved_bytes if self.macs is not None and self.moved_bytes else None

    @property
    def total_ms(self) -> float:
        """Forward and backward."""
        return self.forward_ms + (self.backward_ms or 0.0)


def list_work(trace: Trace, costs: CostReport, dtype_scale: float = 1.0) -> dict[str, Work]:
    """By path, all its calls together. Bytes are those of each operation's operands and results, views left out.

    `dtype_scale` is 0.5 where tensors are half as wide in the measurement as in the trace.
    """
    types = {layer.path: layer.type for layer in trace.layers}
    macs: dict[str, int | None] = dict.fromkeys(types, 0)
    moved = dict.fromkeys(types, 0)
    for layer in trace.layers:
        own, before = costs.layers[layer.id].own_macs, macs[layer.path]
        macs[layer.path] = None if own is None or before is None else before + own
    for op in trace.ops:
        moved[trace.layers[op.layer].path] += count_moved(op)
    return {path: Work(types[path], macs[path], int(moved[path] * dtype_scale)) for path in types}


def count_moved(op: OpRecord) -> int:
    """Bytes that an operation reads and writes; each tensor once."""
    operator = find_operator(op.name)
    if operator is not None and operator.view:
        return 0
    return sum({ref.value: ref.spec.size_bytes for ref in (*op.inputs, *op.outputs)}.values())


def place_under_roof(split: Split, work: Mapping[str, Work], ceiling: Ceiling | None) -> tuple[LayerTime, ...]:
    """Each module that took time or does work, in the order of execution; the loss last."""
    return tuple(_list_layers(split, work, ceiling))


def _list_layers(split: Split, work: Mapping[str, Work], ceiling: Ceiling | None) -> Iterator[LayerTime]:
    paths = [*(path for path in work if path in split.forward_ms or path in split.backward_ms), LOSS_PATH]
    paths += [path for path in (*split.forward_ms, *split.backward_ms) if path not in work and path != LOSS_PATH]
    for path in dict.fromkeys(paths):
        done = work.get(path, Work("" if path == LOSS_PATH else "?", 0, 0))
        floor_ms, bound = find_floor(done, ceiling)
        yield LayerTime(
            path=path,
            type=done.type,
            forward_ms=split.forward_ms.get(path, 0.0),
            backward_ms=split.backward_ms.get(path, 0.0) if split.backward_ms else None,
            macs=done.macs,
            moved_bytes=done.moved_bytes,
            floor_ms=floor_ms,
            bound=bound,
        )


def find_floor(work: Work, ceiling: Ceiling | None) -> tuple[float | None, str]:
    """The least milliseconds at the ceilings, and which of the two decides; None where the MACs are not known."""
    if ceiling is None or work.macs is None or not (work.macs or work.moved_bytes):
        return None, ""
    computing = 2e3 * work.macs / ceiling.flops_per_second
    moving = 1e3 * work.moved_bytes / ceiling.bytes_per_second
    return max(computing, moving), "compute" if computing > moving else "memory"
