"""Pieces of work on a device go in; the seconds they took come out, without making the device wait in between."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch


class Stopwatch:
    """Sums up what happens under `time()`."""

    def __init__(self, device: torch.device) -> None:
        self._cuda = device.type == "cuda"
        self._seconds = 0.0
        self._events: list[tuple[torch.cuda.Event, torch.cuda.Event]] = []

    @contextmanager
    def time(self) -> Iterator[None]:
        """Time what is inside; on CUDA by events on the current stream."""
        if self._cuda:
            first, last = _make_event(), _make_event()
            first.record()
            yield
            last.record()
            self._events.append((first, last))
        else:
            started = time.perf_counter()
            yield
            self._seconds += time.perf_counter() - started

    def read_seconds(self) -> float:
        """The sum; on CUDA this waits for the device."""
        if self._events:
            torch.cuda.synchronize()
            self._seconds += sum(first.elapsed_time(last) for first, last in self._events) / 1000
            self._events.clear()
        return self._seconds


def _make_event() -> torch.cuda.Event:
    return torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
