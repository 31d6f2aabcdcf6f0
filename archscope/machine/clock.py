"""What time it is on a device: marks are set without waiting, and read once the work before them is done."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import torch

from archscope.machine.device import synchronise

Mark = Any
"""A moment; only the clock that set it can read it."""


class Clock(Protocol):
    """Sets marks and reads the time between them."""

    def mark(self) -> Mark:
        """A moment after all the work that was issued before."""

    def settle(self) -> None:
        """Wait until every mark can be read."""

    def between_ms(self, start: Mark, end: Mark) -> float:
        """Milliseconds from one mark to another."""


class HostClock:
    """The processor's monotonic clock; on a device that works on its own, each mark waits for it."""

    def __init__(self, device: torch.device, *, waits: bool = True) -> None:
        self._device = device
        self._waits = waits and device.type != "cpu"

    def mark(self) -> Mark:
        """Nanoseconds."""
        self.settle()
        return time.perf_counter_ns()

    def settle(self) -> None:
        """Wait for the device."""
        if self._waits:
            synchronise(self._device)

    def between_ms(self, start: Mark, end: Mark) -> float:
        """Of two readings."""
        return float(end - start) / 1e6


class CudaClock:
    """CUDA events in the stream of the work, so that nothing waits between two marks."""

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def mark(self) -> Mark:
        """An event at the end of what is in the stream."""
        event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        event.record(torch.cuda.current_stream(self._device))
        return event

    def settle(self) -> None:
        """Wait for the stream."""
        torch.cuda.synchronize(self._device)

    def between_ms(self, start: Mark, end: Mark) -> float:
        """The device's own measure."""
        return float(start.elapsed_time(end))


def choose_clock(device: torch.device, *, waits: bool = True) -> Clock:
    """CUDA events on CUDA, the host's clock elsewhere.

    Where not `waits`, a device without events is not made to wait: what is measured there is the time to issue work.
    """
    return CudaClock(device) if device.type == "cuda" else HostClock(device, waits=waits)


class Stopwatch:
    """The sum of what is done under `time()`; the device does not wait in between."""

    def __init__(self, device: torch.device) -> None:
        self._clock = choose_clock(device, waits=False)
        self._spans: list[tuple[Mark, Mark]] = []

    @contextmanager
    def time(self) -> Iterator[None]:
        """Time what is inside."""
        start = self._clock.mark()
        yield
        self._spans.append((start, self._clock.mark()))

    def read_seconds(self) -> float:
        """The sum; waits for the device."""
        self._clock.settle()
        return sum(self._clock.between_ms(start, end) for start, end in self._spans) / 1e3


class CpuMeter:
    """CPU and wall seconds of the blocks that run under `read()`."""

    def __init__(self) -> None:
        self._cpu = 0.0
        self._wall = 0.0

    @contextmanager
    def read(self) -> Iterator[None]:
        """Count what passes inside."""
        cpu, wall = time.process_time(), time.perf_counter()
        try:
            yield
        finally:
            self._cpu += time.process_time() - cpu
            self._wall += time.perf_counter() - wall

    def find_share(self, threads: int) -> float | None:
        """CPU seconds over wall seconds and threads; None where nothing was measured."""
        return self._cpu / (self._wall * threads) if self._wall else None
