"""Tensors that a pass meets and nobody saw being made: another thread's work, which no mode of this thread can see.

Threads that forward starts, and pools that it hands work to, are followed (`threads`). A thread that ran before and
takes work from a queue of its own is not: what it computes comes back as a tensor without a past. A trace that meets
one does not know what was computed there, and says so.
"""

import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress

import torch
from torch._subclasses.fake_tensor import FakeTensor

from archscope.core.trace import Mode

UNSEEN = "threading.unseen"
"""Name of the operation that stands in a trace for what is unknown."""


LEAST_SECONDS = 5e-5
"""Less than starting a thread takes, and more than lies between two looks at the clocks."""


class Strangers:
    """The tensors of one pass that no recorded operation made, with the calls that met them."""

    def __init__(self, mode: Mode) -> None:
        self._mode = mode
        self._met: list[tuple[torch.Tensor, int]] = []
        self._clocks = dict(_read_clocks()) if mode == "real" else {}
        self._used = _read_others()

    def meet(self, tensor: torch.Tensor, layer: int) -> None:
        """The call numbered `layer` has a tensor that was never seen before."""
        self._met.append((tensor, layer))

    def find_layers(self, known: Iterable[torch.Tensor]) -> tuple[int, ...]:
        """The calls that met tensors which were not there before: those do not share memory with any `known` one."""
        there = {id(tensor): tensor for tensor in known}
        met = [pair for pair in self._met if id(pair[0]) not in there and self._may_be_made(pair[0])]
        if not met or not self._others_ran():
            return ()
        storages = {_find_storage(tensor) for tensor in there.values()} | {None}
        return tuple(dict.fromkeys(layer for tensor, layer in met if _find_storage(tensor) not in storages))

    def _may_be_made(self, tensor: torch.Tensor) -> bool:
        """Whether it is of the kind that operations of such a pass give, and holds anything."""
        if tensor.numel() == 0:
            return False
        if self._mode == "fake":
            return isinstance(tensor, FakeTensor)
        return self._mode == "real" or (tensor.device.type == "meta" and type(tensor) is torch.Tensor)

    def _others_ran(self) -> bool:
        """Whether another thread used the processor meanwhile.

        Literals (`torch.tensor(2.0, device=x.device)`) and constants that a module holds have no past either, and are
        no work. In a real pass, torch's own threads work too, so that Python's are asked one by one.
        """
        if self._mode != "real":
            return _read_others() - self._used > LEAST_SECONDS
        return any(used > self._clocks.get(thread, 0.0) for thread, used in _read_clocks())


def _read_others() -> float:
    """Processor seconds of all threads but this one and ours, of those that have ended too."""
    used = time.process_time() - time.thread_time()
    for thread in _list_ours():
        with suppress(OSError, AttributeError):
            used -= time.clock_gettime(time.pthread_getcpuclockid(thread))
    return used


def _list_ours() -> set[int]:
    return {
        thread.ident
        for thread in threading.enumerate()
        if thread.ident is not None and thread.name.startswith("archscope-")
    }


def _read_clocks() -> Iterator[tuple[int, float]]:
    """Processor seconds of each other Python thread."""
    own = {threading.get_ident()} | _list_ours()
    for thread in sys._current_frames().keys() - own:
        with suppress(OSError, AttributeError):  # it has ended; or the system does not tell
            yield thread, time.clock_gettime(time.pthread_getcpuclockid(thread))


def _find_storage(tensor: torch.Tensor) -> int | None:
    try:
        return int(tensor.untyped_storage()._cdata)
    except (RuntimeError, NotImplementedError):
        return None
