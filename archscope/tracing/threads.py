"""Threads that a watched forward pass starts are watched too: their modules and operations belong to the pass.

Torch keeps its modes, and we our watch, for each thread apart. While anyone watches, `Thread.start` and the methods by
which pools take work are wrapped: what a watched thread hands to another one runs there under the same watch and the
same modes. Nothing waits for anything but its own work, so a pass cannot come to a halt that would not without us.
"""

import _thread
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from types import CodeType, FunctionType
from typing import Any, Protocol, TypeAlias
from weakref import WeakKeyDictionary

import torch
from torch import nn
from torch.overrides import _get_current_function_mode_stack
from torch.overrides import _pop_mode as _pop_function_mode
from torch.overrides import _push_mode as _push_function_mode
from torch.utils._python_dispatch import _get_current_dispatch_mode_stack, _pop_mode, _push_mode

GRACE_SECONDS = 1.0
"""How long a pass that has returned waits for the threads that it left running."""


class Task:
    """Work that a watched thread hands to another one."""

    def __init__(self, base: Any, key: tuple[tuple[float, ...], ...] = ()) -> None:
        self.base = base
        """The module call that was the innermost when it was handed over."""
        self.key = key
        """Its place among what that call did, for the observer."""
        self.is_done: Callable[[], bool] = lambda: True


class ThreadObserver(Protocol):
    """What threads ask of an observer."""

    def owns(self, module: nn.Module) -> bool:
        """Whether the module is part of what is observed."""

    def begin_task(self) -> Task:
        """This thread hands work to another one."""

    def enter_task(self, task: Task) -> Any:
        """This thread takes it on; what is returned is handed to `leave_task`."""

    def leave_task(self, previous: Any) -> None:
        """This thread is done with it."""

    def take_thread_error(self, error: Exception) -> bool:
        """A thread ends with an error that nobody catches; whether the observer tells people, and Python need not."""

    def note_unfinished(self, tasks: Sequence[Task]) -> None:
        """The pass has ended, and these had not."""


class Watch:
    """One observed pass, and the modes that its threads run under: those of the thread that begins it."""

    def __init__(self, observer: Any) -> None:
        self.observer = observer
        self.is_open = True
        self.tasks: list[Task] = []
        self.dispatch_modes = _get_current_dispatch_mode_stack()
        self.function_modes: list[Any] = _get_current_function_mode_stack()  # type: ignore[no-untyped-call]
        self.gradients = torch.is_grad_enabled()
        self.saving_hooks: Any = torch._C._autograd._top_saved_tensors_default_hooks(True)

    def close(self) -> list[Task]:
        """Wait a little for what still runs, then see nothing more; the tasks that had not ended."""
        end = time.monotonic() + GRACE_SECONDS
        while any(not task.is_done() for task in self.tasks) and time.monotonic() < end:
            time.sleep(0.001)
        self.is_open = False
        return [task for task in self.tasks if not task.is_done()]


class _Local(threading.local):
    watch: Watch | None = None
    hidden = False


local = _Local()
"""The watch of this thread, and whether it is to be seen by none."""


@contextmanager
def join_watch(watch: Watch, task: Task) -> Iterator[None]:
    """This thread works on the task, as part of the watched pass; nothing is watched once that has ended."""
    if not watch.is_open:
        yield
        return
    with ExitStack() as stack:
        if local.watch is not watch:
            before = local.watch, local.hidden
            stack.callback(_restore, *before)
            local.watch, local.hidden = watch, False
            _enter_modes(watch, stack)
        stack.callback(watch.observer.leave_task, watch.observer.enter_task(task))
        yield


def _restore(watch: Watch | None, hidden: bool) -> None:  # noqa: FBT001  the two are put back together
    local.watch, local.hidden = watch, hidden


def _enter_modes(watch: Watch, stack: ExitStack) -> None:
    """Push the modes as they are: to enter them again would change what they remember of their own thread."""
    if not watch.gradients:
        stack.enter_context(torch.no_grad())
    if watch.saving_hooks is not None:
        stack.enter_context(torch.autograd.graph.saved_tensors_hooks(*watch.saving_hooks))
    for function_mode in watch.function_modes:
        _push_function_mode(function_mode)  # type: ignore[no-untyped-call]
        stack.callback(_pop_function_mode)
    for mode in watch.dispatch_modes:
        _push_mode(mode)
        stack.callback(_pop_mode, mode.__dict__.get("_mode_key"))


_Function: TypeAlias = Callable[..., Any]


class Patch:
    """A function that a class or module holds, wrapped for a while by a wrapper of its own.

    Other tools wrap the same functions, before, meanwhile and afterwards, and take their wrappers away in any order.
    Each patch therefore calls what it found and nothing else; once reverted it only passes on, wherever it is held.
    """

    def __init__(self, owner: Any, name: str, make: "Callable[[_Function, Patch], _Function]") -> None:
        """`make` gives the wrapper of a function, which is to pass everything on where the patch is not active."""
        self.active = False
        self._owner = owner
        self._name = name
        self._original = vars(owner)[name]
        while isinstance(self._original, FunctionType) and self._original in _wrapped:
            # another tool has put back a wrapper that we had taken away
            self._original = _wrapped[self._original]
        self._wrapper = make(self._original, self)
        _wrapped[self._wrapper] = self._original

    def apply(self) -> None:
        """Put the wrapper in the function's place."""
        self.active = True
        setattr(self._owner, self._name, self._wrapper)

    def revert(self) -> None:
        """Put the function back, unless another tool has put something else there meanwhile."""
        self.active = False
        if vars(self._owner).get(self._name) is self._wrapper:
            setattr(self._owner, self._name, self._original)


_wrapped: "WeakKeyDictionary[Any, Any]" = WeakKeyDictionary()
"""What each of our wrappers wraps, as long as anyone holds it."""


def _begin_task() -> tuple[Watch, Task] | None:
    """The watch of this thread and a new task of it; None where nobody watches."""
    watch = local.watch
    if watch is None or not watch.is_open:
        return None
    task = watch.observer.begin_task()
    watch.tasks.append(task)
    return watch, task


def _follow(function: Callable[..., Any], watch: Watch, task: Task) -> Callable[..., Any]:
    def followed(*args: Any, **kwargs: Any) -> Any:
        with join_watch(watch, task):
            return function(*args, **kwargs)

    return followed


def _make_start(original: Callable[..., Any], patch: Patch) -> Callable[..., Any]:
    """Of `Thread.start`."""

    def followed_start(self: threading.Thread) -> None:
        begun = _begin_task() if patch.active else None
        if begun is None:
            original(self)
            return
        watch, task = begun
        followed = _follow(self.run, watch, task)
        own = self.__dict__.get("run")

        def run() -> None:
            _put_back(self, own)
            try:
                followed()
            except Exception as error:
                if not watch.observer.take_thread_error(error):
                    raise

        self.run = run  # type: ignore[method-assign]
        try:
            with _hide_start():
                original(self)
        except BaseException:
            _put_back(self, own)
            raise
        task.is_done = lambda: not self.is_alive()

    return followed_start


@contextmanager
def _hide_start() -> Iterator[None]:
    """What starts the thread of a task beneath is not another task."""
    watch, hidden = local.watch, local.hidden
    local.watch, local.hidden = None, True
    try:
        yield
    finally:
        local.watch, local.hidden = watch, hidden


def _make_start_new(original: Callable[..., Any], patch: Patch) -> Callable[..., Any]:
    """Of `_thread.start_new_thread`."""

    def followed_start_new(function: Callable[..., Any], *args: Any) -> Any:
        begun = _begin_task() if patch.active and callable(function) else None
        if begun is None:
            return original(function, *args)
        watch, task = begun
        ended = threading.Event()
        followed = _follow(function, watch, task)

        def run(*args: Any, **kwargs: Any) -> None:
            try:
                followed(*args, **kwargs)
            except Exception as error:
                if not watch.observer.take_thread_error(error):
                    raise
            finally:
                ended.set()

        ident = original(run, *args)
        task.is_done = ended.is_set
        return ident

    return followed_start_new


def _put_back(thread: threading.Thread, run: Any) -> None:
    if run is None:
        thread.__dict__.pop("run", None)
    else:
        thread.run = run  # type: ignore[method-assign]


def _make_submit(original: Callable[..., Any], patch: Patch) -> Callable[..., Any]:
    """Of `ThreadPoolExecutor.submit`."""

    def followed_submit(self: ThreadPoolExecutor, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        begun = _begin_task() if patch.active else None
        if begun is None:
            return original(self, function, *args, **kwargs)
        # The worker that the pool may start for it lives on after the pass: the task is watched, and not the worker.
        watch, task = begun
        with _hide_start():
            future = original(self, _follow(function, watch, task), *args, **kwargs)
        task.is_done = future.done
        return future

    return followed_submit


def _make_pool_method(original: Callable[..., Any], patch: Patch) -> Callable[..., Any]:
    """Of a method of `multiprocessing.pool.Pool` whose first argument is the function; pools of processes pass."""

    def followed_method(self: Any, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        begun = _begin_task() if patch.active and type(self).__name__ == "ThreadPool" else None
        return original(self, function if begun is None else _follow(function, *begun), *args, **kwargs)

    return followed_method


def list_patches() -> tuple[Patch, ...]:
    """What is wrapped while anyone watches; `multiprocessing.pool` only where somebody has imported it."""
    found = [
        Patch(threading.Thread, "start", _make_start),
        Patch(ThreadPoolExecutor, "submit", _make_submit),
        Patch(_thread, "start_new_thread", _make_start_new),
    ]
    pools = sys.modules.get("multiprocessing.pool")
    if pools is not None:
        names = ("apply_async", "_map_async", "imap", "imap_unordered")
        found += [Patch(pools.Pool, name, _make_pool_method) for name in names]
    return tuple(found)


THREAD_CODE: CodeType = next(code for code in _follow.__code__.co_consts if isinstance(code, CodeType))
"""Code of what runs a followed function: above it stands the thread, and not the model."""
