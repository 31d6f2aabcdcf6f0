"""File descriptor 1, which a model's code, its children and C libraries may write to past `sys.stdout`.

While a model may run, whatever is written there goes to standard error: standard output is for the answer alone.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

STDOUT, STDERR = 1, 2


@contextmanager
def divert_stdout() -> Iterator[None]:
    """Let file descriptor 1 be standard error within."""
    _flush()
    try:
        kept = os.dup(STDOUT)
    except OSError:  # it is closed: nothing can be spoilt
        yield
        return
    try:
        _send_to_stderr()
        _Model.ran = True
        yield
    finally:
        _flush()
        os.dup2(kept, STDOUT)
        os.close(kept)


def close_answer() -> None:
    """Nothing that a model leaves for the end of the process (`atexit`, children, C buffers) follows the answer."""
    if _Model.ran and _flush():
        _send_to_stderr()


class _Model:
    """Whether a model may have run in this process."""

    ran = False


def _send_to_stderr() -> None:
    """File descriptor 1 is standard error; where that is closed, nothing."""
    try:
        os.dup2(STDERR, STDOUT)
    except OSError:
        with open(os.devnull, "wb") as nothing:
            os.dup2(nothing.fileno(), STDOUT)


def _flush() -> bool:
    """Let what is buffered go where it was meant to go; whether that worked."""
    try:
        for stream in (sys.stdout, sys.__stdout__):
            if stream is not None:
                stream.flush()
    except (OSError, ValueError):
        return False
    return True
