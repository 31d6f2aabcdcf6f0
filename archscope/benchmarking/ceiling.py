"""A device and a precision go in; what it can do at most, measured, comes out: one large product, one large copy."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from archscope.benchmarking.clock import Clock, choose_clock
from archscope.benchmarking.datasheet import Datasheet
from archscope.benchmarking.options import Variant
from archscope.benchmarking.precision import find_compute_dtype, use_precision

_SIDES = {"cuda": 8192}
_CPU_SIDE = 1536
_COPIED_BYTES = {"cuda": 1 << 30}
_CPU_COPIED_BYTES = 128 << 20
"""Far more than any cache holds."""
TRIALS = 8


@dataclass(frozen=True, slots=True)
class Ceiling:
    """What a device reached."""

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
