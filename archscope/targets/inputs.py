"""Inputs asked for and inputs known go in; the arguments of forward come out, as tensors on one device."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from archscope.core.errors import UsageError
from archscope.core.inputs import InputSpec
from archscope.targets.arguments import build_arguments
from archscope.targets.target import InputTensor, Target

EXAMPLE = "give the shape: --input 32, --input 3x224x224, --input 1x128:int64 or --input input_ids=1x128:int64"


def make_arguments(
    target: Target, module: nn.Module, specs: Sequence[InputSpec], device: torch.device
) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
    """Positional and keyword arguments of the module's forward.

    Raises UsageError where nothing is asked for and the target's origin knows no inputs.
    """
    dtype = find_dtype(module)
    positional, named = build_arguments(
        choose_inputs(target, module, specs), lambda item: _make_tensor(item, dtype, device)
    )
    return positional, {**target.extra_arguments, **named}


def choose_inputs(target: Target, module: nn.Module, specs: Sequence[InputSpec]) -> tuple[InputTensor, ...]:
    """The inputs asked for, completed from the target's own: a lone size keeps channels and batch, a name its dtype."""
    known = target.default_inputs(module) if target.default_inputs is not None else ()
    if not specs:
        if not known:
            raise UsageError(f"{target.text} does not say what input it takes", EXAMPLE)
        return known
    if all(spec.square is not None for spec in specs):
        return _resize(known, specs)
    positional = [item for item in known if item.name is None]
    named = {item.name: item for item in known if item.name is not None}
    asked_positional = [spec for spec in specs if spec.name is None]
    for spec in specs:
        if spec.name is not None:
            named[spec.name] = _complete(spec, named.get(spec.name))
    if asked_positional:
        positional = [
            _complete(spec, positional[i] if i < len(positional) else None) for i, spec in enumerate(asked_positional)
        ]
    return (*positional, *named.values())


def _resize(known: tuple[InputTensor, ...], specs: Sequence[InputSpec]) -> tuple[InputTensor, ...]:
    images = [item for item in known if len(item.shape) >= 3]
    if not images:
        return tuple(InputTensor(None, (1, 3, spec.shape[0], spec.shape[0])) for spec in specs)
    if len(specs) not in (1, len(images)):
        raise UsageError(f"{len(specs)} sizes are given for {len(images)} images", EXAMPLE)
    sides = [specs[i if len(specs) > 1 else 0].shape[0] for i in range(len(images))]
    resized = {id(item): (*item.shape[:-2], side, side) for item, side in zip(images, sides, strict=True)}
    return tuple(replace(item, shape=resized.get(id(item), item.shape)) for item in known)


def _complete(spec: InputSpec, known: InputTensor | None) -> InputTensor:
    if known is None:
        shape = (1, 3, spec.square, spec.square) if spec.square is not None else spec.shape
        return InputTensor(spec.name, shape, spec.dtype)
    shape = (*known.shape[:-2], spec.square, spec.square) if spec.square is not None else spec.shape
    return replace(known, name=spec.name, shape=shape, dtype=spec.dtype or known.dtype)


def find_dtype(module: nn.Module) -> torch.dtype:
    """The dtype of the module's first floating-point parameter or buffer; torch's default where it has none."""
    for tensor in (*module.parameters(), *module.buffers()):
        if tensor.dtype.is_floating_point or tensor.dtype.is_complex:
            return tensor.dtype
    return torch.get_default_dtype()


def _make_tensor(item: InputTensor, floating: torch.dtype, device: torch.device) -> torch.Tensor:
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
