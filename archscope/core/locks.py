"""One process at a time in a folder: an advisory lock that ends with its process, however it ends.

The lock is one of POSIX's, on a file `.lock` that holds the number of the process and is removed at the end: children
do not inherit it, and what a killed process leaves locks nobody out. Where a system has none, nothing is locked.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from archscope.core.errors import OutputError, UsageError

try:
    import fcntl
except ImportError:  # pragma: no cover  Windows
    fcntl = None  # type: ignore[assignment]

LOCK = ".lock"
_HELD: set[tuple[int, int]] = set()
"""Files locked by this process, whose locks the system does not tell apart."""


@contextmanager
def lock_folder(folder: Path, doing: str, elsewhere: str = "choose another folder") -> Iterator[None]:
    """Hold `folder`, which is made where there is none; it is removed again where nothing was written.

    `doing` is what the holder does, for whoever comes second: `trains`. Raises UsageError where another process (its
    number is told) or another thread holds it, OutputError where it cannot be made or written in.
    """
    made = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make {folder}: {error.strerror or error}", elsewhere) from error
    try:
        descriptor = _acquire(folder / LOCK)
    except BlockingIOError as error:
        told = f"{folder} is in use: {_read_holder(folder / LOCK)} {doing} in it"
        raise UsageError(told, f"wait until it ends, or {elsewhere}") from error
    except OSError as error:
        raise OutputError(f"cannot write in {folder}: {error.strerror or error}", elsewhere) from error
    key = _identify(descriptor)
    _HELD.add(key)
    try:
        yield
    finally:
        with suppress(OSError):
            (folder / LOCK).unlink()
        _HELD.discard(key)
        os.close(descriptor)
        for place in made:
            with suppress(OSError):
                place.rmdir()


def _acquire(path: Path) -> int:
    """The descriptor whose lock is ours. Raises BlockingIOError where somebody else has it, OSError."""
    while True:
        if _find(path) in _HELD:  # to open and close it would end the lock
            raise BlockingIOError(errno.EAGAIN, "held by this process")
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
        try:
            _lock(descriptor)
            if _find(path) == _identify(descriptor):  # else its holder has just removed it
                os.ftruncate(descriptor, 0)
                os.write(descriptor, f"{os.getpid()}\n".encode())
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    if fcntl is None:  # pragma: no cover  Windows
        return
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN):
            raise BlockingIOError(errno.EAGAIN, "held by another process") from error
        if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.EINVAL, errno.ENOSYS):
            raise


def _find(path: Path) -> tuple[int, int] | None:
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _identify(descriptor: int) -> tuple[int, int]:
    found = os.fstat(descriptor)
    return found.st_dev, found.st_ino


def _read_holder(path: Path) -> str:
    if _find(path) in _HELD:
        return f"this process ({os.getpid()})"
    with suppress(OSError, ValueError):
        return f"process {int(path.read_text(encoding='ascii')[:20])}"
    return "another process"
