"""What time it is on a device: marks are set without waiting, and read once the work before them is done."""

import time
from typing import Any, Protocol

import torch

Mark = Any
"""A moment; only the clock that set it can read it."""


class Clock(Protocol):
    """Sets marks and reads the time between them."""

    @property
    def name(self) -> str:
        """How it measures, for the report."""

    def mark(self) -> Mark:
        """A moment after all the work that was issued before."""

    def settle(self) -> None:
        """Wait until every mark can be read."""

    def between_ms(self, start: Mark, end: Mark) -> float:
        """Milliseconds from one mark to another."""


class HostClock:
    """The processor's monotonic clock; on a device that works on its own, each mark waits for it."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._waits = device.type != "cpu"

    @property
    def name(self) -> str:
        """`host clock`, synchronised where the device works on its own."""
        return "synchronised host clock" if self._waits else "host clock"

    def mark(self) -> Mark:
        """Nanoseconds."""
        self.settle()
        return time.perf_counter_ns()

    def settle(self) -> None:
        """Wait for the device."""
        if self._waits:
            synchronise(self._device)

    def between_ms(self, start: Mark, end: Mark) -> float:
        """The difference of two readings."""
        return float(end - start) / 1e6


class CudaClock:
    """CUDA events in the stream of the work, so that nothing waits between two marks."""

    def __init__(self, device: torch.device) -> None:
        self._device = device

    @property
    def name(self) -> str:
        """`CUDA events`."""
        return "CUDA events"

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


class FakeClock:
    """Time that passes only where a test says so."""

    def __init__(self) -> None:
        self.now_ms = 0.0

    @property
    def name(self) -> str:
        """`fake clock`."""
        return "fake clock"

    def advance(self, span_ms: float) -> None:
        """Let time pass."""
        self.now_ms += span_ms

    def mark(self) -> Mark:
        """The time as it stands."""
        return self.now_ms

    def settle(self) -> None:
        """Nothing to wait for."""

    def between_ms(self, start: Mark, end: Mark) -> float:
        """The difference."""
        return float(end - start)


def choose_clock(device: torch.device) -> Clock:
    """CUDA events on CUDA, the host's clock elsewhere."""
    return CudaClock(device) if device.type == "cuda" else HostClock(device)


def synchronise(device: torch.device) -> None:
    """Wait until the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
