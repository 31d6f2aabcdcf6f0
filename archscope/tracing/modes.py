"""The three ways to run a forward pass: on meta tensors, on fake CPU tensors, for real; tried in this order.

Meta needs no memory and no values. A pass that reads values, or uses what meta lacks, goes on to fake tensors and then
to a real forward. A failure seen on meta is confirmed on fake CPU tensors before it is reported, since meta is at times
too strict.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode, UnsupportedFakeTensorException, UnsupportedOperatorException

from archscope.core.directory import keep_directory
from archscope.core.errors import UsageError, read_message
from archscope.core.trace import Mode, Setting
from archscope.core.units import format_bytes
from archscope.modules import iterate_tensors_of, set_training
from archscope.tracing.constants import DataDependentError, ReadConstants
from archscope.tracing.construction import construct_on_meta
from archscope.tracing.executors import VALUE_ERRORS, DirectExecutor, Executor, MetaExecutor, check_strided
from archscope.tracing.isolation import keep_random_state, quiet_fake_tensors, read_free_memory, without_compilation
from archscope.tracing.meta_copy import copy_module
from archscope.tracing.observe import Observation, TracedModule, observe_forward
from archscope.tracing.room import BoundedExecutor, NoRoomError, estimate_real_bytes
from archscope.tracing.structure import iterate_tensors, map_tensors


@dataclass(frozen=True, slots=True)
class Source:
    """Where the module comes from: a constructor, or an instance that is somebody else's and is only copied."""

    build: Callable[[], nn.Module] | None = None
    instance: nn.Module | None = None


Inputs = tuple[tuple[Any, ...], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Request:
    """One forward pass asked for."""

    source: Source
    inputs: Callable[[nn.Module, torch.device], Inputs]
    """Makes the arguments of forward, tensors on the given device, for the built module."""
    target: str = ""
    arguments: tuple[tuple[str, Setting], ...] = ()
    training: bool | None = None
    """None: the module's own flag."""
    mode: Mode | None = None
    """None: meta, else fake, else real."""
    limit_bytes: int | None = None
    """What a real forward may take; None: whatever it needs."""
    plain: bool = False
    """True meta kernels only, without the exact shape rules."""
    notes: tuple[str, ...] = field(default=())


def trace_request(request: Request) -> Observation:
    """Trace the request in the mode it asks for, or in the first mode that can carry it."""
    if request.mode is not None:
        return _observe(request, request.mode)
    if torch.is_autocast_enabled("cpu"):
        # Meta tensors are not cast; fake CPU tensors are.
        cast = _try_observe(request, "fake")
        if isinstance(cast, Observation) and cast.error is None:
            return _annotate(cast, "traced on fake CPU tensors: autocast is on, and meta tensors are not cast")
    first = _try_observe(request, "meta")
    if isinstance(first, Observation) and first.error is None:
        return first
    second = _try_observe(request, "fake")
    if isinstance(second, Observation):
        if second.error is None:
            return _annotate(second, f"traced on fake CPU tensors: {_reason(first)}")
        if isinstance(first, Observation) and not _is_unsupported(first.error) and not _is_unsupported(second.error):
            return first
    return _observe_for_real(request, first, second)


def _observe_for_real(
    request: Request, first: "Observation | Exception", second: "Observation | Exception"
) -> Observation:
    """Within half of the free memory: nobody asked for a real forward, and the rest of the machine goes on."""
    free = read_free_memory()
    needed = (
        max(estimate_real_bytes(found.trace) for found in (first, second) if isinstance(found, Observation))
        if isinstance(first, Observation) or isinstance(second, Observation)
        else 0
    )
    third: Observation | Exception | None = None
    if needed <= free // 2:
        third = _try_observe(replace(request, limit_bytes=free // 2), "real")
        error = third.error if isinstance(third, Observation) else third
        needed = error.needed_bytes if isinstance(error, NoRoomError) else 0
    if third is None or needed:
        if isinstance(first, Observation):
            return _annotate(first, _tell_room(needed, free))
        raise first
    if isinstance(third, Exception):
        if isinstance(first, Observation):
            return first
        raise third
    return _annotate(third, f"traced by a real forward: {_reason(first)}")


def _try_observe(request: Request, mode: Mode) -> "Observation | Exception":
    """The observation, or the exception that kept the pass from starting."""
    try:
        return _observe(request, mode)
    except UsageError:
        raise  # wrong inputs are wrong in every mode
    except Exception as error:  # noqa: BLE001  the next mode is tried, and the last one raises it
        return error


def _reason(first: "Observation | Exception") -> str:
    error = first.error if isinstance(first, Observation) else first
    text = "" if error is None else " ".join(read_message(error).split())
    return f"on meta, {text[:160]}" if isinstance(error, DataDependentError) else f"meta failed with {text[:160]}"


def _annotate(observation: Observation, note: str) -> Observation:
    return replace(observation, trace=replace(observation.trace, notes=(*observation.trace.notes, note)))


def _tell_room(needed_bytes: int, free_bytes: int) -> str:
    return (
        f"a real forward would need at least {format_bytes(needed_bytes)} for parameters, inputs and activations, more "
        f"than half of the {format_bytes(free_bytes)} that are free: allow it with --mode real, or give smaller inputs"
    )


_MODE_ERRORS = (*VALUE_ERRORS, UnsupportedFakeTensorException, UnsupportedOperatorException, NotImplementedError)
_READING_TEXTS = ("unallocated storage", "can't convert meta device type tensor to numpy")
"""Of `tolist` (RuntimeError) and of `numpy` and `__array__` (TypeError) on meta; texts of torch 2.13 and 2.14."""
_MODE_TEXTS = (*_READING_TEXTS, "meta tensor", "Meta tensor", "FakeTensor", "fake tensor", "data pointer")
"""Where torch has no type for it: `repeat_interleave`, `torch.tensor` of tensors, a tensor's `__format__`, fake tensors
among others or on two devices, a storage without memory. Checked with torch 2.13 and 2.14."""


def _is_unsupported(error: Exception | None) -> bool:
    """Whether the error says that the mode, and not the model, is at fault."""
    return isinstance(error, _MODE_ERRORS) or _mentions(error, _MODE_TEXTS)


def _mentions(error: Exception | None, texts: tuple[str, ...]) -> bool:
    return error is not None and any(text in read_message(error) for text in texts)


def _observe(request: Request, mode: Mode) -> Observation:
    # Copies and inputs made in inference mode could not be written to outside it.
    with without_compilation(), torch.inference_mode(False), torch.no_grad(), keep_random_state(), keep_directory():
        return {"meta": _observe_meta, "fake": _observe_fake, "real": _observe_real}[mode](request)


def _observe_meta(request: Request) -> Observation:
    first = _observe_on_meta(request, MetaExecutor(plain=request.plain))
    if not _mentions(first.error, _READING_TEXTS):
        return first
    # The code reads a list or an array: again, with the constants that are known handed out. That watches every call of
    # a torch function, so it is not done at first.
    executor = MetaExecutor(plain=request.plain)
    with ReadConstants(executor.constants):
        return _observe_on_meta(request, executor)


def _observe_on_meta(request: Request, executor: MetaExecutor) -> Observation:
    instance = request.source.instance
    if instance is not None:
        module, notes = copy_module(instance, executor.stand_in)
    else:
        module, notes = construct_on_meta(_builder(request), executor), ()
    inputs = map_tensors(request.inputs(module, torch.device("meta")), executor.stand_in)
    return _run(request, (module, notes), inputs, executor)


def _observe_fake(request: Request) -> Observation:
    fake = FakeTensorMode(allow_non_fake_inputs=True)

    def convert(tensor: torch.Tensor) -> torch.Tensor:
        check_strided(tensor)
        with fake:
            return torch.empty_strided(tensor.size(), tensor.stride(), dtype=tensor.dtype, device="cpu")

    if request.source.instance is not None:
        module, notes = copy_module(request.source.instance, convert)
    else:
        blank = construct_on_meta(_builder(request), MetaExecutor())
        module, notes = copy_module(blank, convert)
    args = map_tensors(request.inputs(module, torch.device("meta")), convert)
    with quiet_fake_tensors(), fake:
        return _run(request, (module, notes), args, DirectExecutor("fake"))


def _observe_real(request: Request) -> Observation:
    instance = request.source.instance
    if instance is not None:
        if any(tensor.device.type == "meta" for tensor in iterate_tensors_of(instance)):
            raise UsageError("the module is on meta and has no values, so it cannot run for real", "give a real module")
        module, notes = copy_module(instance, lambda tensor: tensor.detach().clone())
    else:
        module, notes = _builder(request)(), ()
    inputs = map_tensors(request.inputs(module, torch.device("cpu")), lambda tensor: tensor.detach().clone())
    if request.limit_bytes is None:
        return _run(request, (module, notes), inputs, DirectExecutor("real"))
    held = sum(
        tensor.numel() * tensor.element_size()
        for _, tensor in iterate_tensors((list(iterate_tensors_of(module)), inputs))
    )
    return _run(request, (module, notes), inputs, BoundedExecutor(request.limit_bytes, held))


Copied = tuple[nn.Module, tuple[str, ...]]
"""A module that may be run, and notes on how it was made."""


def _run(request: Request, copied: Copied, inputs: Inputs, executor: Executor) -> Observation:
    module, notes = copied
    if request.training is not None:
        set_training(module, request.training)
    args, kwargs = inputs
    subject = TracedModule(module, args, kwargs, request.target, request.arguments, (*request.notes, *notes))
    return observe_forward(subject, executor)


def _builder(request: Request) -> Callable[[], nn.Module]:
    if request.source.build is None:
        raise UsageError("nothing to trace: neither a module nor a constructor was given")
    return request.source.build
