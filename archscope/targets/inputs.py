"""The arguments of forward as tensors on one device, from the inputs asked for and those that a target knows."""

import inspect
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from archscope.core.errors import InputSpecError, UsageError
from archscope.core.words import InputSpec
from archscope.modules import iterate_tensors_of
from archscope.targets.target import InputTensor, Target, build_arguments

EXAMPLE = "give the shape: --input 32, --input 3x224x224, --input 1x128:int64 or --input input_ids=1x128:int64"


def make_arguments(
    target: Target, module: nn.Module, specs: Sequence[InputSpec], device: torch.device, batch: int | None = None
) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
    """Positional and keyword arguments of the module's forward, with another batch where one is given.

    Raises UsageError where nothing is asked for and the target's origin knows no inputs.
    """
    dtype = find_dtype(module)
    inputs = change_batch(choose_inputs(target, module, specs), batch)
    positional, named = build_arguments(inputs, lambda item: _make_tensor(item, dtype, device))
    return positional, {**target.extra_arguments, **named}


def change_batch(inputs: tuple[InputTensor, ...], batch: int | None) -> tuple[InputTensor, ...]:
    """The inputs with another batch (None: as they are).

    It is their first dimension, where that equals the first dimension of the first of them, and the length of a list.
    """
    if batch is None:
        return inputs
    before = next((item.shape[0] for item in inputs if item.group is None and item.shape), None)
    changed: list[InputTensor] = []
    seen: set[str] = set()
    for item in inputs:
        if item.group is None:
            alike = bool(item.shape) and item.shape[0] == before
            changed.append(replace(item, shape=(batch, *item.shape[1:])) if alike else item)
        elif item.group not in seen:
            seen.add(item.group)
            changed += [item] * batch
    return tuple(changed)


def choose_inputs(target: Target, module: nn.Module, specs: Sequence[InputSpec]) -> tuple[InputTensor, ...]:
    """The inputs asked for, completed from the target's own: a lone size keeps channels and batch, a name its dtype."""
    known = target.default_inputs(module) if target.default_inputs is not None else ()
    if not specs:
        if not known and takes_inputs(module):
            in_python = '; in Python, tensors or inputs="3x224x224"' if target.is_instance else ""
            raise UsageError(f"{target.text} does not say what input it takes", EXAMPLE + in_python)
        return known
    if all(spec.square is not None for spec in specs):
        return _resize(target, known, specs)
    positional = [item for item in known if item.name is None]
    named = {item.name: item for item in known if item.name is not None}
    for spec in specs:
        if spec.name is not None:
            named[spec.name] = _complete(spec, named.get(spec.name))
    unnamed = [spec for spec in specs if spec.name is None]
    if unnamed and not positional and known:
        _fill_named(target, unnamed, named, {spec.name for spec in specs})
    elif unnamed:
        positional = _fill_positional(unnamed, positional)
    return (*positional, *named.values())


def takes_inputs(module: nn.Module) -> bool:
    """Whether forward has a parameter; true where its signature cannot be read."""
    try:
        return bool(inspect.signature(module.forward).parameters)
    except (TypeError, ValueError):
        return True


def _fill_positional(specs: Sequence[InputSpec], known: Sequence[InputTensor]) -> list[InputTensor]:
    """One shape stands for every input where all are alike (the two images of RAFT); a batch fills a list of images."""
    if len(specs) == 1 and len({item.shape for item in known}) == 1:
        specs = [*specs] * len(known)
    filled: list[InputTensor] = []
    for i, spec in enumerate(specs):
        origin = known[i] if i < len(known) else None
        item = _complete(spec, origin)
        if origin is not None and origin.group is not None and len(item.shape) == len(origin.shape) + 1:
            filled += [replace(item, shape=item.shape[1:])] * item.shape[0]
        else:
            filled.append(item)
    return filled


def _fill_named(
    target: Target, specs: Sequence[InputSpec], named: dict[str, InputTensor], asked: Collection[str | None]
) -> None:
    """Shapes without a name go to the inputs that are passed by keyword, in their order."""
    free = [name for name in named if name not in asked]
    if len(specs) > len(free):
        raise UsageError(
            f"{len(specs)} shapes without a name for {target.text}, which takes {', '.join(named)}", EXAMPLE
        )
    for name, spec in zip(free, specs, strict=False):
        named[name] = _complete(replace(spec, name=name), named[name])


def _resize(target: Target, known: tuple[InputTensor, ...], specs: Sequence[InputSpec]) -> tuple[InputTensor, ...]:
    """A lone size is the side of an image; the length of a text where there is no image."""
    if not known:
        return tuple(InputTensor(None, (1, 3, spec.shape[0], spec.shape[0])) for spec in specs)
    images = [item for item in known if len(item.shape) > 3 or item.group is not None]
    sized = images or [item for item in known if len(item.shape) == 2]
    if len(specs) not in (1, len(sized)):
        what = "images" if images else "inputs"
        raise UsageError(f"{len(specs)} sizes are given for {len(sized)} {what} of {target.text}", EXAMPLE)
    sides = [specs[i if len(specs) > 1 else 0].shape[0] for i in range(len(sized))]
    shapes = {
        id(item): (*item.shape[:-2], side, side) if images else (*item.shape[:-1], side)
        for item, side in zip(sized, sides, strict=True)
    }
    return tuple(replace(item, shape=shapes.get(id(item), item.shape)) for item in known)


def _complete(spec: InputSpec, known: InputTensor | None) -> InputTensor:
    if known is None:
        shape = (1, 3, spec.square, spec.square) if spec.square is not None else spec.shape
        return InputTensor(spec.name, shape, spec.dtype)
    shape = (*known.shape[:-2], spec.square, spec.square) if spec.square is not None else spec.shape
    return replace(known, name=spec.name, shape=shape, dtype=spec.dtype or known.dtype)


def find_dtype(module: nn.Module) -> torch.dtype:
    """The dtype of the module's first floating-point parameter or buffer; torch's default where it has none."""
    for tensor in iterate_tensors_of(module):
        if tensor.dtype.is_floating_point or tensor.dtype.is_complex:
            return tensor.dtype
    return torch.get_default_dtype()


def _make_tensor(item: InputTensor, floating: torch.dtype, device: torch.device) -> torch.Tensor:
    try:
        return _fill_tensor(item, floating, device)
    except (RuntimeError, MemoryError) as error:
        size = "x".join(map(str, item.shape))
        told = str(error).splitlines()[0] if str(error) else "out of memory"
        raise InputSpecError(f"an input of {size} cannot be made: {told}", EXAMPLE) from error


def _fill_tensor(item: InputTensor, floating: torch.dtype, device: torch.device) -> torch.Tensor:
    dtype = floating if item.dtype is None else getattr(torch, item.dtype)
    if device.type == "meta":
        return torch.empty(item.shape, dtype=dtype, device=device)
    if item.fill is not None:
        return torch.full(item.shape, item.fill, dtype=dtype, device=device)
    if dtype.is_floating_point or dtype.is_complex:
        generator = torch.Generator().manual_seed(0)
        noise = torch.randn(item.shape, generator=generator, dtype=torch.complex64 if dtype.is_complex else None)
        return noise.to(dtype=dtype, device=device)
    return torch.zeros(item.shape, dtype=dtype, device=device)
