"""A real forward that nobody asked for stays within half of the free memory, activations included."""

import gc
import re
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import archscope
from archscope.core.words import TraceOptions
from archscope.observation import observe_call
from archscope.tracing import modes
from archscope.tracing.executors import DirectExecutor
from archscope.tracing.room import BoundedExecutor, NoRoomError

SIDE = 64
WIDE = 4 * SIDE * SIDE * 64
"""Bytes of one map of 64 channels."""


class Reader(nn.Module):
    """Reads a value, before or after the layer that makes it large, so that only a real forward carries it."""

    def __init__(self, *, early: bool) -> None:
        super().__init__()
        self.wide = nn.Conv2d(3, 64, 3, padding=1)
        self.early = early
        self.ran = 0

    def forward(self, x: Tensor) -> Tensor:
        if self.early and x.sum().item() > 1:
            return x
        x = self.wide(x)
        return x * 2 if x.sum().item() < 1e9 else x


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    memory = {"bytes": 0}
    monkeypatch.setattr(modes, "read_free_memory", lambda: memory["bytes"])
    return memory


@pytest.mark.parametrize("early", [True, False])
def test_activations_are_bounded_and_what_is_needed_is_said(free: dict[str, int], early: bool) -> None:
    state = 4 * (64 * 27 + 64) + 4 * 3 * SIDE * SIDE
    free["bytes"] = 2 * (state + WIDE) - 2
    observed = observe_call(Reader(early=early), TraceOptions(), ((torch.zeros(1, 3, SIDE, SIDE),), {}))
    assert observed.trace.failure is not None
    note = observed.trace.notes[-1]
    assert re.search(r"would need at least 1\.05 MiB .* half of the 2\.11 MiB that are free: .*--mode real", note), note
    # Asked for, it runs whatever it takes; with room for both maps it runs by itself.
    image = torch.zeros(1, 3, SIDE, SIDE)
    assert archscope.trace(Reader(early=early), image, mode="real").trace.mode == "real"
    free["bytes"] = 2 * (state + 2 * WIDE) + 2**16
    assert archscope.trace(Reader(early=early), torch.zeros(1, 3, SIDE, SIDE)).costs.macs == SIDE * SIDE * 64 * 27


def test_the_bound_counts_what_lives_and_nothing_else() -> None:
    block = torch.zeros(256)  # 1 KiB
    executor = BoundedExecutor(limit_bytes=3 * 1024, held_bytes=1024)

    def add(tensor: Tensor) -> Any:
        from archscope.tracing.operators import describe_operator

        func = torch.ops.aten.add.Tensor
        return executor.run(func, describe_operator(func), (tensor, tensor), {})

    for _ in range(3):  # each result dies
        add(block)
        gc.collect()
    first = add(block)
    second = add(first)
    with pytest.raises(NoRoomError) as caught:
        add(second)
    assert caught.value.needed_bytes == 4 * 1024
    del first
    assert add(second).shape == (256,)
    assert isinstance(executor, DirectExecutor)
