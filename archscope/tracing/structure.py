"""The tensors of nested inputs and outputs, in order and with readable keys; and plain settings."""

import dataclasses
import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch

_MAX_DEPTH = 12


def iterate_tensors(value: Any, key: str = "", depth: int = 0) -> Iterator[tuple[str, torch.Tensor]]:
    """Tensors in `value`, with keys such as `0.hidden`; objects that are no containers hold none."""
    if isinstance(value, torch.Tensor):
        yield key, value
        return
    if depth > _MAX_DEPTH:
        return
    for name, item in _iterate_items(value):
        yield from iterate_tensors(item, f"{key}.{name}" if key else name, depth + 1)


def _iterate_items(value: Any) -> Iterator[tuple[str, Any]]:
    if value is None or isinstance(value, (str, bytes, int, float, complex)):
        return
    if isinstance(value, Mapping):
        yield from ((str(name), item) for name, item in value.items())
    elif hasattr(value, "_fields") and isinstance(value, tuple):
        yield from ((name, getattr(value, name)) for name in getattr(value, "_fields", ()))
    elif isinstance(value, (tuple, list)):
        yield from ((str(index), item) for index, item in enumerate(value))
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        yield from ((field.name, getattr(value, field.name, None)) for field in dataclasses.fields(value))


def list_operands(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[torch.Tensor]:
    """The tensors among an operation's arguments, which nest no deeper than a list: quicker than walking them."""
    found = []
    for value in (*args, *kwargs.values()) if kwargs else args:
        if isinstance(value, torch.Tensor):
            found.append(value)
        elif isinstance(value, (list, tuple)):
            found += [item for item in value if isinstance(item, torch.Tensor)]
    return found


def map_tensors(value: Any, function: Callable[[torch.Tensor], Any]) -> Any:
    """`value` rebuilt with `function` applied to each tensor; what holds no tensor is returned as it is."""
    if isinstance(value, torch.Tensor):
        return function(value)
    if not any(True for _ in iterate_tensors(value)):
        return value
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(map_tensors(item, function) for item in value))
    if isinstance(value, (tuple, list)):
        items = [map_tensors(item, function) for item in value]
        return items if type(value) is list else _rebuild(value, items)
    if isinstance(value, Mapping):
        pairs = {name: map_tensors(item, function) for name, item in value.items()}
        return pairs if type(value) is dict else _rebuild(value, pairs)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        changes = {
            field.name: map_tensors(getattr(value, field.name), function)
            for field in dataclasses.fields(value)
            if field.init
        }
        return dataclasses.replace(value, **changes)
    return value


def _rebuild(value: Any, items: Any) -> Any:
    try:
        return type(value)(items)
    except TypeError:
        return items if isinstance(items, dict) else tuple(items)


def name_arguments(forward: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments by the names of forward's parameters; positional ones without a name are `args.0`, ..."""
    try:
        parameters = list(inspect.signature(forward).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    named: dict[str, Any] = {}
    for index, value in enumerate(args):
        parameter = parameters[index] if index < len(parameters) else None
        if parameter is None or parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            start = next((i for i, p in enumerate(parameters) if p.kind is p.VAR_POSITIONAL), None)
            prefix = parameters[start].name if start is not None else "args"
            named |= {f"{prefix}.{i - (start or 0)}": args[i] for i in range(index, len(args))}
            break
        named[parameter.name] = value
    return {**named, **kwargs}


_NOT_PLAIN: Any = object()
_DEEPEST = 8


def to_setting(value: Any, depth: int = 0) -> Any:
    """`value` where it is plain data (lists become tuples), else a marker that `is_plain` knows."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (tuple, list)):
        if depth > _DEEPEST:
            return _NOT_PLAIN
        items = tuple(to_setting(item, depth + 1) for item in value)
        return _NOT_PLAIN if any(item is _NOT_PLAIN for item in items) else items
    return _NOT_PLAIN


def is_plain(value: Any) -> bool:
    """Whether `to_setting` could turn its argument into plain data."""
    return value is not _NOT_PLAIN
