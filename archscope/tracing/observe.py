"""Runs one forward pass under the recorder and makes the trace of what it wrote down, a failure included."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import nn

from archscope.core.errors import read_message
from archscope.core.trace import Failure, LayerCall, Setting, Trace, ValueRef
from archscope.modules import is_training
from archscope.tracing.executors import Executor, MetaExecutor
from archscope.tracing.holdings import Holding, find_holdings, list_state
from archscope.tracing.isolation import keep_random_state, pause_collection
from archscope.tracing.recorder import RecordedCall, Recorder
from archscope.tracing.registration import Usage, review_registration
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
    module: nn.Module
    """What ran: a copy of the user's module, or one built for the pass."""
    constants: tuple[str, ...] = ()
    """Places of plain tensors, no buffers, that operations read: `encoder.scale`."""


def observe_forward(subject: TracedModule, executor: Executor) -> Observation:
    """Run the subject's forward once and record it. The module's attributes and buffers may change: give a copy.

    Exceptions of the forward pass are returned in the observation; KeyboardInterrupt and the like pass through.
    """
    recorder = Recorder(subject.module, executor)
    holdings = find_holdings(subject.module)
    error: Exception | None = None
    output: Any = None
    inputs = _refer_inputs(recorder, subject)
    with _isolate_pass(), recorder:
        try:
            output = recorder.call_root(subject.args, dict(subject.kwargs))
        except Exception as raised:  # noqa: BLE001  returned to the caller with the trace
            error = raised
    recorder.settle(_list_known(subject, holdings, executor))
    if error is not None:
        error = recorder.accuse_thread() or error
    if error is None and executor.data_dependent is not None:
        # The code went on without values that nobody has: what it did then is a guess.
        error, output = executor.data_dependent, None
    outputs = () if error else tuple(
        recorder.values.refer(key, executor.stand_in(tensor)) for key, tensor in iterate_tensors(output)
    )  # fmt: skip
    trace = _build_trace(recorder, subject, (inputs, outputs), error)
    usage = Usage(recorder, complete=error is None)
    findings, constants = review_registration(subject.module, holdings, usage)
    return Observation(replace(trace, findings=findings), error, subject.module, constants)


def _list_known(subject: TracedModule, holdings: Sequence[Holding], executor: Executor) -> Iterator[torch.Tensor]:
    """The tensors that the pass may use and that were there before it."""
    held = (item.value for holding in holdings for item in holding.tensors)
    inner = (tensor for holding in holdings for item in holding.modules for tensor in list_state(item.value))
    given = (tensor for _, tensor in iterate_tensors((subject.args, subject.kwargs)))
    yield from map(executor.stand_in, (*list_state(subject.module), *held, *inner, *given))
    if isinstance(executor, MetaExecutor):
        yield from executor.list_known()


@contextmanager
def _isolate_pass() -> Iterator[None]:
    """No gradients, no inference mode, no garbage collection; random state put back. Compilation: see `modes`."""
    with torch.inference_mode(False), torch.no_grad(), keep_random_state(), pause_collection():
        yield


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
    layers = tuple(_build_layer(call, state, paths) for call in recorder.calls)
    return Trace(
        archscope=__version__,
        torch=torch.__version__,
        target=subject.target,
        arguments=subject.arguments,
        mode=recorder.executor.mode,
        training=is_training(subject.module),
        inputs=ends[0],
        outputs=ends[1],
        layers=layers,
        ops=tuple(recorder.ops),
        edges=tuple(recorder.edges),
        state=state.list_state(recorder.values),
        totals=state.totals(),
        never_called=() if error else state.list_untouched(recorder.values, (call.module for call in recorder.calls)),
        notes=(*subject.notes, *_describe_thread_error(recorder, error)),
        failure=_build_failure(recorder, paths, error),
    )


def _describe_thread_error(recorder: Recorder, error: Exception | None) -> tuple[str, ...]:
    found = recorder.thread_error
    if found is None or found is error:
        return ()
    return (f"a thread that forward started ended with {type(found).__name__}: {read_message(found)}",)


def _build_layer(call: RecordedCall, state: StateInventory, paths: dict[int, str]) -> LayerCall:
    module = call.module
    path = state.path_of(module)
    if path is None:
        # A module made or captured by forward, not registered beneath the root.
        parent = paths[call.parent.id] if call.parent else ""
        path = f"{parent}.<{call.type_name}>".lstrip(".")
    paths[call.id] = path
    return LayerCall(
        id=call.id,
        parent=None if call.parent is None else call.parent.id,
        path=path,
        type=call.type_name,
        call=call.call,
        depth=call.depth,
        leaf=call.children == 0,
        inputs=call.inputs,
        outputs=call.outputs,
        own_params=state.own_params(module),
        params=state.params(module),
        trainable_params=state.trainable_params(module),
        buffers=state.buffers(module),
        shared_with=state.shared_with(module),
        settings=read_settings(module),
        sources=call.sources,
        first_op=call.first_op,
        end_op=call.end_op,
    )


def _build_failure(recorder: Recorder, paths: dict[int, str], error: Exception | None) -> Failure | None:
    if error is None:
        return None
    call = recorder.failed or recorder.calls[0]
    return Failure(
        layer=call.id,
        path=paths[call.id],
        error=type(error).__name__,
        message=read_message(error),
        sources=recorder.failed_sources,
    )
