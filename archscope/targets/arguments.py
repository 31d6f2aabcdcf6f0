"""Described inputs go in, the arguments of forward come out; and constructor arguments become plain frozen data."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch

from archscope.core.trace import Setting
from archscope.targets.target import InputTensor

MakeTensor = Callable[[InputTensor], torch.Tensor]


def build_arguments(inputs: Iterable[InputTensor], make_tensor: MakeTensor) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Positional and keyword arguments of forward; inputs of one group become one list."""
    positional: list[Any] = []
    named: dict[str, Any] = {}
    lists: dict[str, list[torch.Tensor]] = {}
    for item in inputs:
        tensor = make_tensor(item)
        value: torch.Tensor | list[torch.Tensor] = tensor
        if item.group is not None:
            if item.group in lists:
                lists[item.group].append(tensor)
                continue
            value = lists[item.group] = [tensor]
        if item.name is None:
            positional.append(value)
        else:
            named[item.name] = value
    return tuple(positional), named


def freeze_arguments(arguments: Mapping[str, Any]) -> dict[str, Setting]:
    """The arguments as a trace records them: lists as tuples, anything that is no plain data as text."""
    return {name: _freeze(value) for name, value in arguments.items()}


def _freeze(value: Any) -> Setting:
    if isinstance(value, (tuple, list)):
        return tuple(_freeze(item) for item in value)
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
