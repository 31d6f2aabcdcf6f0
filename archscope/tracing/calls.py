"""Which module call is the innermost at every moment: a wrapper swapped in for `Module.__call__` while anyone traces.

The wrapper is process-wide and counted: the first tracer installs it, the last one to leave takes it away. Each thread
has its own observer, so traces in several threads do not mix, and a trace begun inside another's forward pass hides the
outer one until it ends. No lock is held while a forward pass runs.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import CodeType
from typing import Any, Protocol

from torch import nn


class CallObserver(Protocol):
    """Told of each module call in its thread, innermost last."""

    def enter_call(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A call begins; what is returned is handed to the other two methods."""

    def leave_call(self, ticket: Any, output: Any) -> None:
        """The call returned `output`."""

    def fail_call(self, ticket: Any, error: BaseException) -> None:
        """The call raised `error`."""


class _Local(threading.local):
    observer: CallObserver | None = None


class _Installation:
    """What the wrapper replaced, and how many observers need it."""

    original: Any = None
    users = 0


_local = _Local()
_lock = threading.Lock()


def current_observer() -> CallObserver | None:
    """The observer of this thread, or None."""
    return _local.observer


def _observed_call(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
    observer = _local.observer
    if observer is None:
        return _Installation.original(self, *args, **kwargs)
    ticket = observer.enter_call(self, args, kwargs)
    try:
        output = _Installation.original(self, *args, **kwargs)
    except BaseException as error:
        observer.fail_call(ticket, error)
        raise
    observer.leave_call(ticket, output)
    return output


CALL_CODE: CodeType = _observed_call.__code__
"""Code of the wrapper: a frame that runs it is the border between one module call and the next."""


@contextmanager
def observe_calls(observer: CallObserver) -> Iterator[None]:
    """Let `observer` see every module call of this thread until the block ends."""
    _install()
    previous, _local.observer = _local.observer, observer
    try:
        yield
    finally:
        _local.observer = previous
        _uninstall()


@contextmanager
def hide_calls() -> Iterator[None]:
    """Let nobody see the module calls of this thread until the block ends."""
    previous, _local.observer = _local.observer, None
    try:
        yield
    finally:
        _local.observer = previous


def _install() -> None:
    with _lock:
        if _Installation.users == 0 and nn.Module.__call__ is not _observed_call:
            _Installation.original = nn.Module.__call__
            nn.Module.__call__ = _observed_call  # type: ignore[method-assign]
        _Installation.users += 1


def _uninstall() -> None:
    with _lock:
        _Installation.users -= 1
        # Where another tool has wrapped ours meanwhile, ours stays beneath it and passes every call through.
        if _Installation.users == 0 and nn.Module.__call__ is _observed_call:
            nn.Module.__call__ = _Installation.original  # type: ignore[method-assign]
