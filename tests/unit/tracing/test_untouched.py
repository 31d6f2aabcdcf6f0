"""A trace leaves the module, its inputs and the process exactly as they were, whatever happens."""

import gc
import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

import archscope
from archscope.core.words import TraceOptions
from archscope.observation import observe_call
from archscope.tracing.threads import local


class Stateful(nn.Module):
    """Changes whatever a forward pass can change, and fails where asked to."""

    def __init__(self, error: type[BaseException] | None = None) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.drop = nn.Dropout(0.5)
        self.steps: torch.Tensor
        self.register_buffer("steps", torch.zeros(1))
        self.plain = torch.zeros(2)
        self.calls = 0
        self.seen: list[int] = []
        self.error = error

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        self.seen.append(self.calls)
        self.steps += 1
        self.plain.add_(1)
        x.mul_(2)
        x = self.drop(self.norm(self.conv(x))) + torch.rand(1)
        if self.error is not None:
            raise self.error("asked for")
        return x


@pytest.mark.parametrize("mode", [None, "fake", "real"])
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
def test_nothing_is_touched(fingerprint: Callable[..., Any], mode: Any, training: bool) -> None:
    module, image = Stateful().train(training), torch.ones(2, 3, 8, 8)
    handle = module.conv.register_forward_hook(lambda *_: None)
    before = fingerprint(module, image)
    collects = gc.isenabled()
    observe_call(module, TraceOptions(mode=mode), ((image,), {}))
    assert fingerprint(module, image) == before
    assert gc.isenabled() == collects
    handle.remove()


@pytest.mark.parametrize("error", [RuntimeError, ValueError, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_nothing_is_touched_when_forward_raises(fingerprint: Callable[..., Any], error: type[BaseException]) -> None:
    module, image = Stateful(error), torch.ones(2, 3, 8, 8)
    before = fingerprint(module, image)
    expected = archscope.ForwardError if issubclass(error, Exception) else error
    with pytest.raises(expected):
        archscope.trace(module, image)
    assert fingerprint(module, image) == before
    assert (local.watch, local.hidden) == (None, False)


def test_hooks_of_the_user_run_and_stay() -> None:
    seen: list[tuple[int, ...]] = []
    module = nn.Sequential(nn.Linear(4, 3))
    module[0].register_forward_hook(lambda _module, _args, output: seen.append(tuple(output.shape)))
    archscope.trace(module, torch.zeros(2, 4))
    assert seen == [(2, 3)]
    assert len(module[0]._forward_hooks) == 1


def test_a_trace_inside_a_traced_forward_does_not_mix() -> None:
    inner_macs: list[int | None] = []

    class Outer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            inner_macs.append(archscope.trace(nn.Linear(8, 8), torch.zeros(1, 8)).costs.macs)
            return self.layer(x)

    summary = archscope.trace(Outer(), torch.zeros(1, 4))
    assert (summary.costs.macs, inner_macs) == (16, [64])
    assert [layer.type for layer in summary.trace.layers] == ["Outer", "Linear"]


def test_traces_in_threads_do_not_mix() -> None:
    modules = [nn.Sequential(*(nn.Linear(width, width) for _ in range(50))) for width in (3, 5, 7, 9)]
    found: dict[int, int | None] = {}
    original = nn.Module.__call__

    def work(index: int) -> None:
        width = 3 + 2 * index
        for _ in range(5):
            found[index] = archscope.trace(modules[index], torch.zeros(1, width)).costs.macs

    threads = [threading.Thread(target=work, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    modules[0](torch.zeros(1, 3))  # an untraced call meanwhile
    for thread in threads:
        thread.join()
    assert found == {0: 50 * 9, 1: 50 * 25, 2: 50 * 49, 3: 50 * 81}
    assert nn.Module.__call__ is original


def test_a_module_that_cannot_be_copied_is_traced_and_said() -> None:
    class Locked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 4)
            self.lock = threading.Lock()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            with self.lock:
                return self.layer(x)

    summary = archscope.trace(Locked(), torch.zeros(1, 4))
    assert summary.costs.macs == 16
    assert "lock" in summary.trace.notes[0]
