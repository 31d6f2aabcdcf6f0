"""What a forward pass must not disturb, and what must not disturb it: random states, compilation, logs."""

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


@contextmanager
def keep_random_state() -> Iterator[None]:
    """Restore every generator that a forward pass may draw from, also when it raises."""
    numpy = sys.modules.get("numpy")
    numpy_state = numpy.random.get_state() if numpy else None
    python_state = random.getstate()
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()  # type: ignore[no-untyped-call]
    with torch.random.fork_rng(devices=devices):
        try:
            yield
        finally:
            random.setstate(python_state)
            if numpy:
                numpy.random.set_state(numpy_state)


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
