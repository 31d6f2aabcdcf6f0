"""The observer that writes a forward pass down: every module call, and every operation under its call."""

import sys
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from archscope.core.trace import Edge, OpRecord, Setting, SourceSpan, ValueRef
from archscope.tracing.calls import is_watched_by
from archscope.tracing.executors import Executor
from archscope.tracing.observer import CALLER_DEPTH, ModuleCall, OperationObserver
from archscope.tracing.operators import OperatorInfo, describe_operator
from archscope.tracing.ordering import order_threads
from archscope.tracing.sources import SourceFinder, spans_of_error
from archscope.tracing.storages import WriteLog
from archscope.tracing.strangers import UNSEEN, Strangers
from archscope.tracing.structure import is_plain, iterate_tensors, list_operands, to_setting
from archscope.tracing.threads import Task
from archscope.tracing.values import ValueTable


@dataclass(slots=True, eq=False)
class RecordedCall(ModuleCall):
    """A module call and what is written down of it; kept after it has ended, its module with it."""

    id: int = 0
    first_op: int = 0
    end_op: int = 0
    children: int = 0
    """How many calls it made itself."""
    type_name: str = ""
    """Of the module as the call left it: lazy modules change their class."""
    inputs: tuple[ValueRef, ...] = ()
    outputs: tuple[ValueRef, ...] = ()
    sources: tuple[SourceSpan, ...] = ()
    task: Task | None = None
    """What the thread worked on that made the call as its outermost; None where a call around it is of that thread."""


class Recorder(OperationObserver[RecordedCall]):  # type: ignore[no-untyped-call]
    """Writes down module calls and operations; the executor decides on what tensors they run."""

    call_type = RecordedCall

    def __init__(self, root: nn.Module, executor: Executor) -> None:
        super().__init__(root)
        self.executor = executor
        self.values = ValueTable(keep_alive=executor.mode != "real")
        self.calls: list[RecordedCall] = []
        self.ops: list[OpRecord] = []
        self.edges: list[Edge] = []
        self._writes = WriteLog()
        self._suspects: list[tuple[torch.Tensor, int]] = []
        """Operands of the present operation that are older than the last write, and who made them."""
        self.failed: RecordedCall | None = None
        self.failed_sources: tuple[SourceSpan, ...] = ()
        self._failed_error: BaseException | None = None
        self._sources = SourceFinder()
        self._lock = threading.RLock()
        self._task_count = 0
        self.thread_error: Exception | None = None
        """With which a thread ended first that forward had started."""
        self._thread_failure: tuple[RecordedCall | None, tuple[SourceSpan, ...]] = (None, ())
        self._op_tasks: dict[int, Task] = {}
        self._strangers = Strangers(executor.mode)

    # --- threads ------------------------------------------------------------------------------------------------

    def begin_task(self) -> Task:
        """Its key is the moment at which it was handed over, as `ordering` wants it."""
        with self._lock:
            self._task_count += 1
            moment = (len(self.ops), len(self.calls) - 0.5, self._task_count)
            around = self._find_task(self.innermost)
            return Task(self.innermost, (*(() if around is None else around.key), moment))

    def take_thread_error(self, error: Exception) -> bool:
        """Keep the first, and where it happened: forward may go on, and fail for want of what the thread owed it."""
        if self.thread_error is None:
            self.thread_error = error
            self._thread_failure = self.failed, self.failed_sources
        return True

    def accuse_thread(self) -> Exception | None:
        """The error of a thread, which from now on is the failure of the pass."""
        if self.thread_error is not None:
            self.failed, self.failed_sources = self._thread_failure
        return self.thread_error

    def note_unfinished(self, tasks: Sequence[Task]) -> None:
        """What they go on to do nobody will see, and the trace says so."""
        for task in tasks:
            self._op_tasks[len(self.ops)] = task
            self._note_unknown("threading.Thread", 0 if task.base is None else task.base.id)

    def _note_unknown(self, name: str, layer: int) -> None:
        self.ops.append(OpRecord(len(self.ops), name, "default", layer, (), ()))

    def settle(self, known: Iterable[torch.Tensor] = ()) -> None:
        """Put what threads did where it was handed over; to be called when the pass has ended.

        Where the pass used tensors that nobody saw being made and that share no memory with the `known` ones, which
        were there before, it says that what made them is unknown.
        """
        unseen = self._strangers.find_layers(known)
        for layer in unseen:
            self._note_unknown(UNSEEN, layer)
        if self._task_count or unseen:
            order_threads(self.calls, self.ops, self.edges, self._op_tasks)

    def _find_task(self, call: RecordedCall | None) -> Task | None:
        """The task of this thread, where `call` is the one around it."""
        task = self.cursor.task
        return task if task is not None and task.base is call else None

    # --- module calls -------------------------------------------------------------------------------------------

    def on_call(self, call: RecordedCall, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Write down what the call got, and where it was made."""
        with self._lock:
            call.id, call.first_op = len(self.calls), len(self.ops)
            if call.parent is not None:
                call.parent.children += 1
                call.sources = self._sources.find_chain(sys._getframe(CALLER_DEPTH), call.parent.sources)
                call.task = self._find_task(call.parent)
            call.inputs = self._refer_all(call, (*enumerate(args), *kwargs.items()))
            self.calls.append(call)

    def on_return(self, call: RecordedCall, output: Any) -> None:
        """Write down what it gave."""
        with self._lock:
            call.outputs = self._refer_all(call, (("", output),))
            self._close(call)

    def on_error(self, call: RecordedCall, error: BaseException) -> None:
        """The innermost call that the error (or its cause) passed is where it happened."""
        known = self._failed_error
        came_from_known = known is not None and any(
            known is other for other in (error, error.__cause__, error.__context__)
        )
        if not (came_from_known and self.failed is not None and self.failed.is_within(call)):
            self.failed = call
            self.failed_sources = (*spans_of_error(error), *call.sources)
        self._failed_error = error
        self._close(call)

    def _close(self, call: RecordedCall) -> None:
        call.end_op = len(self.ops)
        call.type_name = type(call.module).__name__

    def _refer_all(self, call: RecordedCall, items: tuple[tuple[Any, Any], ...]) -> tuple[ValueRef, ...]:
        refs = []
        for name, value in items:
            for key, tensor in iterate_tensors(value, str(name)):
                met, stand_in = self.values.strangers, self.executor.stand_in(tensor)
                refs.append(self.values.refer(key, stand_in))
                if self.values.strangers != met:
                    self._strangers.meet(stand_in, call.id)
        return tuple(refs)

    # --- operations ---------------------------------------------------------------------------------------------

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run one operation and write it down."""
        kwargs = kwargs or {}
        call = self.innermost
        if call is None or not is_watched_by(self):
            return func(*args, **kwargs)
        with self._lock:
            return self._record(func, args, kwargs, call)

    def _record(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], call: RecordedCall) -> Any:
        info = describe_operator(func)
        args, kwargs = self.executor.prepare(args, kwargs)
        index = len(self.ops)
        first_edge = len(self.edges)
        inputs, arguments = self._read_arguments(info, args, kwargs, index)
        try:
            output = self.executor.run(func, info, args, kwargs)
        except BaseException:
            del self.edges[first_edge:]  # there is no such operation
            self._suspects.clear()
            raise
        if self._suspects:
            self._follow_aliases(info, output, index)
        self._write_mutations(info, args, kwargs, index)
        task = self._find_task(call)
        if task is not None:
            self._op_tasks[index] = task
        self.ops.append(
            OpRecord(
                index=index,
                name=info.name,
                overload=info.overload,
                layer=call.id,
                inputs=inputs,
                outputs=self._write_outputs(info, output, index),
                arguments=arguments,
                sources=self._sources.find_chain(sys._getframe(1).f_back, call.sources),
            )
        )
        return output

    def _read_arguments(
        self, info: OperatorInfo, args: tuple[Any, ...], kwargs: dict[str, Any], index: int
    ) -> tuple[tuple[ValueRef, ...], tuple[tuple[str, Setting], ...]]:
        inputs: list[ValueRef] = []
        arguments: list[tuple[str, Setting]] = []
        if self.executor.mode != "meta":
            arguments += _name_layouts(args, kwargs)
        for name, value in (*_name_positional(info, args), *kwargs.items()):
            if isinstance(value, torch.Tensor):
                inputs.append(self._read_value(name, value, index))
                continue
            plain = to_setting(value)
            if is_plain(plain):
                arguments.append((name, plain))
            elif isinstance(value, (torch.dtype, torch.layout, torch.memory_format)):
                arguments.append((name, str(value).removeprefix("torch.")))
            else:
                inputs.extend(self._read_value(key, tensor, index) for key, tensor in iterate_tensors(value, name))
        return tuple(inputs), tuple(arguments)

    def _read_value(self, key: str, tensor: torch.Tensor, index: int) -> ValueRef:
        met = self.values.strangers
        ref = self.values.refer(key, tensor)
        if self.values.strangers != met and self.innermost is not None:
            self._strangers.meet(tensor, self.innermost.id)
        self.values.touched.add(ref.value)
        producer = self.values.producer_of(ref.value)
        self.edges.append(Edge(producer, index, ref.value))
        since = -1 if producer is None else producer
        if since < self._writes.last:
            self._suspects.append((tensor, since))
        return ref

    def _follow_aliases(self, info: OperatorInfo, output: Any, index: int) -> None:
        """Edges from the operations that wrote to an operand by another view of its storage; a view reads its part."""
        is_view = info.known is not None and info.known.view and isinstance(output, torch.Tensor)
        for tensor, since in self._suspects:
            for write in self._writes.find(tensor, since, output if is_view else None):
                self.edges.append(Edge(write.op, index, write.value))
        self._suspects.clear()

    def _write_mutations(self, info: OperatorInfo, args: Any, kwargs: dict[str, Any], index: int) -> None:
        if not info.mutated:
            return
        given = {**dict(_name_positional(info, args)), **kwargs}
        for name in info.mutated:
            for _, tensor in iterate_tensors(given.get(name)):
                self._writes.note(tensor, index, self.values.renew(tensor, index))

    def _write_outputs(self, info: OperatorInfo, output: Any, index: int) -> tuple[ValueRef, ...]:
        refs = []
        for key, tensor in iterate_tensors(output):
            # An output that is an input itself (in-place, `out=`) was renewed above.
            if self.values.producer_of(self.values.number_of(tensor)) != index:
                self.values.renew(tensor, index)
            refs.append(self.values.refer(key, tensor))
        return tuple(refs)


def _name_layouts(args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[tuple[str, Setting]]:
    """Sparse and nested operands, whose shapes do not tell the work: on meta there are none."""
    kinds = {
        "nested" if tensor.is_nested else str(tensor.layout).removeprefix("torch.")
        for tensor in list_operands(args, kwargs)
        if tensor.is_nested or tensor.layout is not torch.strided
    }
    return [("layouts", tuple(sorted(kinds)))] if kinds else []


def _name_positional(info: OperatorInfo, args: tuple[Any, ...]) -> tuple[tuple[str, Any], ...]:
    names = info.argument_names
    return tuple((names[i] if i < len(names) else f"args.{i}", value) for i, value in enumerate(args))
