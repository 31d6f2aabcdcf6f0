"""What a target is once it has been found, and the arguments of its forward."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from archscope.core.input_spec import Plain, Sizes, Value
from archscope.core.trace import Setting, SourceSpan


@dataclass(frozen=True, slots=True)
class InputTensor:
    """One input tensor of a forward pass."""

    name: str | None
    """Keyword it is passed by; None for a positional input."""
    shape: tuple[int, ...]
    dtype: str | None = None
    """Dtype name; None: the dtype of the module's floating-point parameters."""
    fill: int | float | None = None
    """Value of every element where the pass must be real; None: noise for floating-point, zeros for the rest."""
    group: str | None = None
    """Inputs of one group are the items of one list argument (the images of a detector), which stands where the first
    of them stands, or is passed by its name; None: an argument of its own."""
    data: Any = None
    """Its values as nested lists of numbers; None where any will do."""


@dataclass(frozen=True, slots=True)
class InputValue:
    """One argument of forward that is no lone tensor of a shape: plain data, or a list, tuple or dict."""

    name: str | None
    """Keyword it is passed by; None for a positional input."""
    value: Value


Input = InputTensor | InputValue


@dataclass(frozen=True, slots=True)
class Target:
    """A module that can be built, with what is known of its inputs."""

    text: str
    """As typed: `timm:resnet50`."""
    title: str
    """For people: `resnet50 (stride in the 3x3 convolution, as torchvision)`."""
    build: Callable[[], nn.Module]
    """Builds the module, with the caller's default device and dtype. Raises TargetError."""
    arguments: Mapping[str, Setting] = field(default_factory=dict)
    """Constructor arguments asked for."""
    default_inputs: Callable[[nn.Module], tuple[InputTensor, ...]] | None = None
    """Inputs of the built module when none are asked for; None where nobody knows them."""
    usual_shape: tuple[int, ...] | None = None
    """Shape of the usual input where that is one image and known before the module is built."""
    extra_arguments: Mapping[str, Any] = field(default_factory=dict)
    """Keyword arguments of forward that are not tensors."""
    training: bool = False
    """The flag that forward runs under unless asked otherwise."""
    is_instance: bool = False
    """True where `build` returns a module that somebody else also holds, so that only a copy may be run."""
    notes: tuple[str, ...] = ()
    definition: SourceSpan | None = None
    """Where a user's file defines it; None for models of archscope and of other packages' registries."""
    scope: Callable[[], AbstractContextManager[None]] = nullcontext
    """Held while a forward pass runs, since a file's forward may import what lies beside the file."""


MakeTensor = Callable[[InputTensor], torch.Tensor]


def build_arguments(inputs: Iterable[Input], make_tensor: MakeTensor) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Positional and keyword arguments of forward; inputs of one group become one list."""
    positional: list[Any] = []
    named: dict[str, Any] = {}
    lists: dict[str, list[torch.Tensor]] = {}
    for item in inputs:
        if isinstance(item, InputValue):
            value = _build_value(item.value, make_tensor)
        elif item.group is not None:
            lists.setdefault(item.group, []).append(make_tensor(item))
            value = lists[item.group]
            if len(value) > 1:
                continue
        else:
            value = make_tensor(item)
        if item.name is None:
            positional.append(value)
        else:
            named[item.name] = value
    return tuple(positional), named


def _build_value(value: Value, make_tensor: MakeTensor) -> Any:
    if isinstance(value, Plain):
        return value.value
    if isinstance(value, Sizes):
        return make_tensor(InputTensor(None, value.shape, value.dtype, data=value.data))
    items = [_build_value(item, make_tensor) for item in value.items]
    if value.kind == "dict":
        return dict(zip(value.keys, items, strict=True))
    return tuple(items) if value.kind == "tuple" else items


def freeze_arguments(arguments: Mapping[str, Any]) -> dict[str, Setting]:
    """The arguments as a trace records them: lists as tuples, anything that is no plain data as text."""
    return {name: freeze_setting(value) for name, value in arguments.items()}


def freeze_setting(value: Any) -> Setting:
    """The value as a trace records it: a list as a tuple, anything that is no plain data as text."""
    if isinstance(value, (tuple, list)):
        return tuple(freeze_setting(item) for item in value)
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
