"""The working folder, which somebody's code may change: what the user wrote is relative to where they stood."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def keep_directory() -> Iterator[None]:
    """Stand in the same folder afterwards, whatever the code within changes to."""
    try:
        before = os.getcwd()
    except OSError:  # it was removed
        yield
        return
    try:
        yield
    finally:
        with suppress(OSError):  # it was removed meanwhile
            if _find_directory() != before:
                os.chdir(before)


def _find_directory() -> str:
    try:
        return os.getcwd()
    except OSError:
        return ""
