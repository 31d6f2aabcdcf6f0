"""Times on the host and by CUDA's events, and the processors' share of them."""

import time

import pytest
import torch

from archscope.machine import clock as clocks
from archscope.machine.clock import CpuMeter, HostClock, Stopwatch, choose_clock

CUDA = torch.device("cuda", 0)


def test_a_stopwatch_sums_the_events_of_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    class Event:
        def __init__(self, *, enable_timing: bool) -> None:
            assert enable_timing

        def record(self, stream: object) -> None:
            assert stream == "stream"

        def elapsed_time(self, other: object) -> float:
            return 250.0

    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: "stream")
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: None)
    watch = Stopwatch(CUDA)
    for _ in range(2):
        with watch.time():
            pass
    assert watch.read_seconds() == 0.5
    assert watch.read_seconds() == 0.5


def test_a_device_without_events_waits_only_where_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[torch.device] = []
    monkeypatch.setattr(clocks, "synchronise", waits.append)
    device = torch.device("mps")
    choose_clock(device).mark()
    assert waits == [device]
    choose_clock(device, waits=False).mark()
    choose_clock(torch.device("cpu")).mark()
    assert waits == [device]


def test_the_host_clock_reads_milliseconds() -> None:
    clock = HostClock(torch.device("cpu"))
    assert clock.between_ms(1_000_000, 3_500_000) == 2.5


def test_the_share_of_the_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    meter = CpuMeter()
    assert meter.find_share(2) is None
    monkeypatch.setattr(time, "process_time", iter([1.0, 4.0]).__next__)
    monkeypatch.setattr(time, "perf_counter", iter([10.0, 12.0]).__next__)
    with meter.read():
        pass
    assert meter.find_share(2) == 0.75  # 3 CPU seconds in 2 seconds of 2 threads
