"""The one observer of a forward pass: knows the innermost module call at every moment, and which call made which node.

The tracer, the memory ledger, the per-layer clock and the sanity checks subclass it and override what they need to see.
"""

import threading
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, Self, TypeVar

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from archscope.modules import has_children, name_modules
from archscope.tracing.calls import observe_calls
from archscope.tracing.threads import Task

CALLER_DEPTH = 4
"""How many frames above `on_call` the code that called the module stands."""


class Place(NamedTuple):
    """Where in the model something happens; holds no module, so that none is kept alive."""

    path: str
    """Beneath the root; of a module that is not registered there, the path of the call around it."""
    type: str


@dataclass(slots=True, eq=False)
class ModuleCall:
    """One call of a module, while it runs; what is to outlive it, the observer keeps."""

    module: nn.Module
    place: Place
    parent: Self | None
    """The call around it; None for the outermost."""
    call: int
    """0 for the module's first call, 1 for its second, ...; modules are told apart by identity."""
    registered: bool
    """Whether the module is the root or beneath it when the observer is made."""
    depth: int = field(init=False)
    """Nesting of calls: 0 for the outermost."""

    def __post_init__(self) -> None:
        self.depth = 0 if self.parent is None else self.parent.depth + 1

    @property
    def is_layer(self) -> bool:
        """Whether the module is registered and has no children."""
        return self.registered and not has_children(self.module)

    def is_within(self, other: "ModuleCall") -> bool:
        """Whether this call ran inside `other`, or is it."""
        call: ModuleCall | None = self
        while call is not None and call is not other:
            call = call.parent
        return call is other


Call = TypeVar("Call", bound=ModuleCall)


class Cursor:
    """Where one thread of the pass is."""

    __slots__ = ("call", "task")

    def __init__(self, call: Any = None, task: Task | None = None) -> None:
        self.call = call
        """The innermost call that runs in it; None outside of any."""
        self.task = task
        """What it works on; None in the thread that began the pass."""


class _Here(threading.local):
    cursor: Cursor | None = None


class ForwardObserver(Generic[Call]):
    """Follows the module calls of passes through `root`, in the thread that runs them and in those that it starts."""

    call_type: type[Call]
    """The record made of each call: `ModuleCall`, or a subclass with more fields, which have defaults."""

    def __init__(self, root: nn.Module) -> None:
        self.root = root
        self._home = Cursor()
        self._here = _Here()
        self._paths: dict[int, str] = {id(module): path for path, module in name_modules(root)}
        self._counts: dict[int, int] = {}
        self._unseen_root: Call | None = None
        """The call that `call_root` began, until the wrapper meets it."""
        self._numbers: list[int] = []
        self._makers: list[Place | None] = []

    @property
    def cursor(self) -> Cursor:
        """Where this thread is; a thread that Python did not start is where the pass is."""
        return self._here.cursor or self._home

    @property
    def innermost(self) -> Call | None:
        """The call that runs in this thread; None outside of any."""
        found: Call | None = (self._here.cursor or self._home).call
        return found

    # --- what a subclass sees ------------------------------------------------------------------------------------

    def on_call(self, call: Call, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """`call` begins; the call around it is still the innermost."""

    def on_return(self, call: Call, output: Any) -> None:
        """`call`, still the innermost, returned `output`."""

    def on_error(self, call: Call, error: BaseException) -> None:
        """`call`, still the innermost, raised `error`."""

    # --- what its user does --------------------------------------------------------------------------------------

    def call_root(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call the root and watch it, also where its class has a `__call__` of its own, which the wrapper does not see.

        For passes that others start, there is `observe_calls`.
        """
        with observe_calls(self):
            call = self._unseen_root = self._open(self.root, args, kwargs)
            try:
                output = self.root(*args, **kwargs)
            except BaseException as error:
                self.fail_call(call, error)
                raise
            self.leave_call(call, output)
            return output

    def find_maker(self, number: int) -> Place | None:
        """Where the autograd node of that sequence number was made; None outside of any call."""
        index = bisect_right(self._numbers, number) - 1
        return self._makers[index] if index >= 0 else None

    # --- what threads ask ----------------------------------------------------------------------------------------

    def owns(self, module: nn.Module) -> bool:
        """Whether the module is the root or registered beneath it."""
        return id(module) in self._paths

    def begin_task(self) -> Task:
        """This thread hands work to another one."""
        return Task(self.innermost)

    def enter_task(self, task: Task) -> Cursor | None:
        """This thread takes it on, inside the call that handed it over; where it was before."""
        previous, self._here.cursor = self._here.cursor, Cursor(task.base, task)
        return previous

    def leave_task(self, previous: Cursor | None) -> None:
        """This thread goes back to where it was."""
        self._here.cursor = previous

    def take_thread_error(self, error: Exception) -> bool:
        """A thread ends with an error that nobody catches: Python prints it."""
        return False

    def note_unfinished(self, tasks: Sequence[Task]) -> None:
        """These were still at work when the pass had ended."""

    # --- what the wrapper around `Module.__call__` does ------------------------------------------------------------

    def enter_call(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call | None:
        """Begin a call inside the innermost one; None where that is the root's, which `call_root` has begun."""
        if module is self.root and self._unseen_root is not None and self._unseen_root is self.innermost:
            self._unseen_root = None
            return None
        return self._open(module, args, kwargs)

    def leave_call(self, call: Call | None, output: Any) -> None:
        """End a call that returned."""
        if call is not None:
            self.on_return(call, output)
            self._move_to(call.parent)

    def fail_call(self, call: Call | None, error: BaseException) -> None:
        """End a call that raised."""
        if call is not None:
            self.on_error(call, error)
            self._move_to(call.parent)

    def _open(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
        parent = self.innermost
        path = self._paths.get(id(module))
        count = self._counts.get(id(module), 0)
        self._counts[id(module)] = count + 1
        around = "" if parent is None else parent.place.path
        place = Place(around if path is None else path, type(module).__name__)
        call = self.call_type(module, place, parent, count, path is not None)
        self.on_call(call, args, kwargs)
        self._move_to(call)
        return call

    def _move_to(self, call: Call | None) -> None:
        self.cursor.call = call
        if self._here.cursor is not None:
            return
        # Autograd numbers its nodes in the order in which they are made, in each thread apart.
        self._numbers.append(torch.autograd._get_sequence_nr())  # type: ignore[attr-defined]
        self._makers.append(None if call is None else call.place)


class OperationObserver(ForwardObserver[Call], TorchDispatchMode):
    """Sees every operation too, in `__torch_dispatch__`, as long as it is entered as a context manager."""

    supports_higher_order_operators = True

    def __init__(self, root: nn.Module) -> None:
        ForwardObserver.__init__(self, root)
        TorchDispatchMode.__init__(self)  # type: ignore[no-untyped-call]

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # True makes torch import torch._dynamo (a second, 120 MB) to mark `__torch_dispatch__` as not to be compiled.
        return False
