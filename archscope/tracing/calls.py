"""Which module call is the innermost at every moment: a wrapper swapped in for `Module.__call__` while anyone traces.

The wrapper is process-wide and counted: the first tracer installs it, the last one to leave takes it away, and where
another tool has wrapped it meanwhile it stays beneath that tool's wrapper and passes everything on. Each thread
has its own watch, so traces in several threads do not mix, and a trace begun inside another's forward pass hides the
outer one until it ends. Threads that a watched pass starts join its watch, as does a thread that calls one of its
modules: see `threads`. No lock is held while a forward pass runs.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import CodeType
from typing import Any, Protocol

from torch import nn

from archscope.tracing import threads
from archscope.tracing.threads import Patch, Task, ThreadObserver, Watch, join_watch, local


class CallObserver(ThreadObserver, Protocol):
    """Told of each module call in its threads, innermost last."""

    def enter_call(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A call begins; what is returned is handed to the other two methods."""

    def leave_call(self, ticket: Any, output: Any) -> None:
        """The call returned `output`."""

    def fail_call(self, ticket: Any, error: BaseException) -> None:
        """The call raised `error`."""


class _Installation:
    """The wrappers that are in place, for how many observers, and the watches that are open."""

    patches: tuple[Patch, ...] = ()
    users = 0
    watches: tuple[Watch, ...] = ()


_lock = threading.Lock()


def is_watched_by(observer: object) -> bool:
    """Whether what this thread does is the observer's business.

    A thread that Python did not start (TorchScript's `fork`) has no watch, yet inherits the dispatch mode.
    """
    watch = local.watch
    if watch is None:
        return not local.hidden and any(other.observer is observer for other in _Installation.watches)
    return watch.is_open and watch.observer is observer


def _make_observed(original: Callable[..., Any], patch: Patch) -> Callable[..., Any]:
    def observed_call(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        if not patch.active:
            return original(self, *args, **kwargs)
        watch = local.watch
        if watch is None or not watch.is_open:
            watch = None if local.hidden else _find_watch(self)
            if watch is None:
                return original(self, *args, **kwargs)
            with join_watch(watch, watch.observer.begin_task()):
                return observed_call(self, *args, **kwargs)
        observer = watch.observer
        ticket = observer.enter_call(self, args, kwargs)
        try:
            output = original(self, *args, **kwargs)
        except BaseException as error:
            observer.fail_call(ticket, error)
            raise
        observer.leave_call(ticket, output)
        return output

    return observed_call


def _find_watch(module: nn.Module) -> Watch | None:
    """The open watch, if any, whose pass the module belongs to: a thread that ran before calls it."""
    return next((watch for watch in _Installation.watches if watch.observer.owns(module)), None)


CALL_CODE: CodeType = next(code for code in _make_observed.__code__.co_consts if isinstance(code, CodeType))
"""Code of the wrapper: a frame that runs it is the border between one module call and the next."""


@contextmanager
def observe_calls(observer: CallObserver) -> Iterator[None]:
    """Let `observer` see every module call of this thread, and of those that it starts, until the block ends."""
    watch = Watch(observer)
    _install(watch)
    before = local.watch, local.hidden
    local.watch, local.hidden = watch, False
    try:
        yield
    finally:
        local.watch, local.hidden = None, True
        unfinished: list[Task] = watch.close()
        local.watch, local.hidden = before
        _uninstall(watch)
    if unfinished:
        observer.note_unfinished(unfinished)


@contextmanager
def hide_calls() -> Iterator[None]:
    """Let nobody see the module calls of this thread until the block ends."""
    before = local.watch, local.hidden
    local.watch, local.hidden = None, True
    try:
        yield
    finally:
        local.watch, local.hidden = before


def _install(watch: Watch) -> None:
    with _lock:
        if _Installation.users == 0:
            _Installation.patches = (Patch(nn.Module, "__call__", _make_observed), *threads.list_patches())
            for patch in _Installation.patches:
                patch.apply()
        _Installation.users += 1
        _Installation.watches = (*_Installation.watches, watch)


def _uninstall(watch: Watch) -> None:
    with _lock:
        _Installation.users -= 1
        _Installation.watches = tuple(other for other in _Installation.watches if other is not watch)
        if _Installation.users == 0:
            for patch in _Installation.patches:
                patch.revert()
