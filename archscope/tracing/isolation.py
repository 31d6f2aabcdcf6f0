"""What a forward pass must not disturb, and what must not disturb it: random states, compilation, logs."""

import gc
import logging
import os
import random
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from archscope.tracing.threads import local

_lock = threading.Lock()


class _Draws:
    """The random states that are to be put back, and the threads that they are kept for, outermost first."""

    before: "_RandomStates | None" = None
    """As they were when the first of those that are kept at this moment began."""
    holders: tuple[int, ...] = ()


class _RandomStates:
    """The generators of Python, of NumPy where it is imported, and of torch with its initialised CUDA devices."""

    def __init__(self) -> None:
        self._python = random.getstate()
        self._numpy = sys.modules.get("numpy")
        self._numpy_state = self._numpy.random.get_state() if self._numpy else None
        self._torch = torch.get_rng_state()
        self._cuda = [
            (device, torch.cuda.get_rng_state(device))
            for device in range(torch.cuda.device_count() if torch.cuda.is_initialized() else 0)  # type: ignore[no-untyped-call]
        ]

    def restore(self) -> None:
        random.setstate(self._python)
        if self._numpy:
            self._numpy.random.set_state(self._numpy_state)
        torch.set_rng_state(self._torch)
        for device, state in self._cuda:
            torch.cuda.set_rng_state(state, device)


@contextmanager
def keep_random_state() -> Iterator[None]:
    """Restore every generator that a forward pass may draw from, also when it raises.

    The generators are the whole process's. Where several threads trace at once, the last one to leave puts back what
    the first one found; in one thread every block puts back what it found itself.
    """
    thread = threading.get_ident()
    with _lock:
        own = _RandomStates()
        if not _Draws.holders:
            _Draws.before = own
        _Draws.holders = (*_Draws.holders, thread)
        shared = any(other != thread for other in _Draws.holders)
    try:
        yield
    finally:
        with _lock:
            shared = shared or any(other != thread for other in _Draws.holders)
            holders = list(_Draws.holders)
            holders.remove(thread)
            _Draws.holders = tuple(holders)
            if not holders and _Draws.before is not None:
                _Draws.before.restore()
                _Draws.before = None
            elif not shared:
                own.restore()


class _Collection:
    """How many passes want no garbage to be collected, and whether it was collected before the first of them."""

    users = 0
    was_on = False


@contextmanager
def pause_collection() -> Iterator[None]:
    """No garbage is collected while anyone is in here: the process's switch, as the first one found it, is put back."""
    with _lock:
        if _Collection.users == 0:
            _Collection.was_on = gc.isenabled()
            gc.disable()
        _Collection.users += 1
    try:
        yield
    finally:
        with _lock:
            _Collection.users -= 1
            if _Collection.users == 0 and _Collection.was_on:
                gc.enable()


@contextmanager
def quiet_fake_tensors() -> Iterator[None]:
    """Fake tensors log a traceback for every error they raise; those of a traced pass are reported by us."""
    thread = threading.get_ident()

    def is_other_thread(record: logging.LogRecord) -> bool:
        return record.thread != thread and local.watch is None

    logger = logging.getLogger("torch._subclasses.fake_tensor")
    logger.addFilter(is_other_thread)
    try:
        yield
    finally:
        logger.removeFilter(is_other_thread)


class _Stance:
    """How many traces run at this moment that need eager execution, and what puts the stance back."""

    users = 0
    switch: Any = None


_stance_lock = threading.Lock()


@contextmanager
def without_compilation() -> Iterator[None]:
    """Compiled modules and functions run as they were written; where nothing was compiled, nothing is imported.

    The stance is the whole process's: the first trace sets it and the last one puts it back.
    """
    if "torch._dynamo" not in sys.modules:
        yield
        return
    with _stance_lock:
        if _Stance.users == 0:
            _Stance.switch = torch.compiler.set_stance("force_eager")
            _Stance.switch.__enter__()
        _Stance.users += 1
    try:
        yield
    finally:
        with _stance_lock:
            _Stance.users -= 1
            if _Stance.users == 0:
                _Stance.switch.__exit__(None, None, None)
                _Stance.switch = None


def read_free_memory() -> int:
    """Bytes of memory that are free; 4 GiB where the system does not tell."""
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):
        return 4 * 2**30
