"""A module and its inputs go in; the record of one observed forward pass comes out, the failure included."""

import gc
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from archscope.core.trace import Failure, LayerCall, Setting, Trace, ValueRef
from archscope.tracing.calls import observe_calls
from archscope.tracing.executors import Executor
from archscope.tracing.isolation import keep_random_state
from archscope.tracing.recorder import CallTicket, Recorder
from archscope.tracing.sources import BORDER_CODES
from archscope.tracing.state import StateInventory, read_settings
from archscope.tracing.structure import iterate_tensors, name_arguments
from archscope.version import __version__


@dataclass(frozen=True, slots=True)
class TracedModule:
    """What is traced: a module that may be run, its inputs, and what to call it."""

    module: nn.Module
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    target: str = ""
    arguments: tuple[tuple[str, Setting], ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Observation:
    """One observed forward pass: the trace, and the exception that ended it, if one did."""

    trace: Trace
    error: Exception | None


def observe_forward(subject: TracedModule, executor: Executor) -> Observation:
    """Run the subject's forward once and record it. The module's attributes and buffers may change: give a copy.

    Exceptions of the forward pass are returned in the observation; KeyboardInterrupt and the like pass through.
    """
    recorder = Recorder(executor)
    error: Exception | None = None
    output: Any = None
    inputs = _refer_inputs(recorder, subject)
    with _quiet_surroundings(), observe_calls(recorder), recorder:
        ticket = recorder.begin_root(subject.module, subject.args, dict(subject.kwargs))
        try:
            output = subject.module(*subject.args, **subject.kwargs)
            recorder.leave_call(ticket, output)
        except Exception as raised:  # noqa: BLE001  returned to the caller with the trace
            recorder.fail_call(ticket, raised)
            error = raised
    if error is None and executor.data_dependent is not None:
        # The code went on without values that nobody has: what it did then is a guess.
        error, output = executor.data_dependent, None
    outputs = () if error else tuple(
        recorder.values.refer(key, executor.stand_in(tensor)) for key, tensor in iterate_tensors(output)
    )  # fmt: skip
    return Observation(_build_trace(recorder, subject, (inputs, outputs), error), error)


BORDER_CODES.add(observe_forward.__code__)


@contextmanager
def _quiet_surroundings() -> Iterator[None]:
    """No gradients, no inference mode, no garbage collection, no compilation; random state put back."""
    collects = gc.isenabled()
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.no_grad())
        stack.enter_context(keep_random_state())
        gc.disable()
        try:
            yield
        finally:
            if collects:
                gc.enable()


def _refer_inputs(recorder: Recorder, subject: TracedModule) -> tuple[ValueRef, ...]:
    forward = getattr(subject.module, "forward", subject.module)
    named = name_arguments(forward, subject.args, subject.kwargs)
    stand_in = recorder.executor.stand_in
    return tuple(
        recorder.values.refer(key, stand_in(tensor))
        for name, value in named.items()
        for key, tensor in iterate_tensors(value, name)
    )


def _build_trace(
    recorder: Recorder,
    subject: TracedModule,
    ends: tuple[tuple[ValueRef, ...], tuple[ValueRef, ...]],
    error: Exception | None,
) -> Trace:
    state = StateInventory(subject.module, recorder.executor.stand_in)
    paths: dict[int, str] = {}
    layers = tuple(_build_layer(ticket, state, paths) for ticket in recorder.calls)
    return Trace(
        archscope=__version__,
        torch=torch.__version__,
        target=subject.target,
        arguments=subject.arguments,
        mode=recorder.executor.mode,
        training=subject.module.training,
        inputs=ends[0],
        outputs=ends[1],
        layers=layers,
        ops=tuple(recorder.ops),
        edges=tuple(recorder.edges),
        state=state.list_state(recorder.values),
        totals=state.totals(),
        never_called=() if error else state.list_untouched(recorder.values, (t.module for t in recorder.calls)),
        notes=subject.notes,
        failure=_build_failure(recorder, paths, error),
    )


def _build_layer(ticket: CallTicket, state: StateInventory, paths: dict[int, str]) -> LayerCall:
    module = ticket.module
    path = state.path_of(module)
    if path is None:
        # A module made or captured by forward, not registered beneath the root.
        parent = paths[ticket.parent.id] if ticket.parent else ""
        path = f"{parent}.<{ticket.type_name}>".lstrip(".")
    paths[ticket.id] = path
    return LayerCall(
        id=ticket.id,
        parent=None if ticket.parent is None else ticket.parent.id,
        path=path,
        type=ticket.type_name,
        call=ticket.call,
        depth=ticket.depth,
        leaf=ticket.children == 0,
        inputs=ticket.inputs,
        outputs=ticket.outputs,
        own_params=state.own_params(module),
        params=state.params(module),
        trainable_params=state.trainable_params(module),
        buffers=state.buffers(module),
        shared_with=state.shared_with(module),
        settings=read_settings(module),
        sources=ticket.sources,
        first_op=ticket.first_op,
        end_op=ticket.end_op,
    )


def _build_failure(recorder: Recorder, paths: dict[int, str], error: Exception | None) -> Failure | None:
    if error is None:
        return None
    ticket = recorder.failed or recorder.calls[0]
    return Failure(
        layer=ticket.id,
        path=paths[ticket.id],
        error=type(error).__name__,
        message=str(error),
        sources=recorder.failed_sources,
    )
