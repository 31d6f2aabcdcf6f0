"""The object named in a file or module (`Net`, `Net.Inner`) as a target."""

import types
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import nn

from archscope.core.errors import FixedArgumentError, TargetError, UnknownNameError
from archscope.targets.constructor import call_constructor, check_call, describe_value
from archscope.targets.definition import find_definition
from archscope.targets.target import Target, freeze_arguments

KINDS = "name a torch.nn.Module class, an instance of one, or a function that returns one"


@dataclass(frozen=True, slots=True)
class Home:
    """Where objects were found: a file, a notebook, or an imported module."""

    text: str
    """As people call it: `lecture.py`."""
    module: types.ModuleType
    """What running it made."""
    enter: Callable[[], AbstractContextManager[None]]
    """The scope that its code runs in."""
    notes: tuple[str, ...]


def find_object_target(home: Home, name: str, text: str, arguments: Mapping[str, Any]) -> Target:
    """The target `text`, which is the object `name` of `home`.

    Raises UnknownNameError where nothing has that name, TargetError where it is no model or cannot be called so.
    """
    found = find_object(home, name)
    definition = find_definition(found, name, getattr(home.module, "__file__", None))
    if isinstance(found, nn.Module):
        if arguments:
            argument = next(iter(arguments))
            raise FixedArgumentError(
                argument,
                f"{name} of {home.text} is a {type(found).__name__} that exists already, so it takes no arguments",
                f"leave out --arg {argument}, or name the class {type(found).__name__}",
            )
        return Target(text, name, lambda: found, is_instance=True, notes=home.notes, definition=definition)
    if not callable(found) or (isinstance(found, type) and not issubclass(found, nn.Module)):
        what = "a class that is no torch.nn.Module" if isinstance(found, type) else describe_value(found)
        raise TargetError(f"{name} of {home.text} is {what}, not a model", _advise(home, KINDS))
    owner = f"{name} of {home.text}"
    check_call(found, arguments, owner)
    return Target(
        text=text,
        title=name,
        build=partial(_build, home, found, dict(arguments), owner),
        arguments=freeze_arguments(arguments),
        notes=home.notes,
        definition=definition,
    )


def _build(home: Home, constructor: Callable[..., Any], arguments: Mapping[str, Any], owner: str) -> nn.Module:
    with home.enter():
        return call_constructor(constructor, arguments, owner)


def find_object(home: Home, name: str) -> object:
    """Raises UnknownNameError, with the models that `home` defines."""
    found: object = home.module
    for depth, part in enumerate(name.split(".")):
        names = vars(found) if isinstance(found, (types.ModuleType, type)) else {}
        if not hasattr(found, part):
            known = list_factories(home.module) if depth == 0 else [key for key in names if not key.startswith("_")]
            raise UnknownNameError(f"object in {home.text}:", name, known, _advise(home, ""))
        found = getattr(found, part)
    return found


def list_models(module: types.ModuleType) -> list[str]:
    """Names of the Module classes defined in `module`, then of the instances it holds."""
    classes = [name for name, value in _public(module) if isinstance(value, type) and issubclass(value, nn.Module)]
    own = [name for name in classes if getattr(module, name).__module__ == module.__name__]
    return own + [name for name, value in _public(module) if isinstance(value, nn.Module)]


def list_factories(module: types.ModuleType) -> list[str]:
    """All names that could be a target: models, then functions and imported Module classes."""
    others = [
        name
        for name, value in _public(module)
        if isinstance(value, types.FunctionType) or (isinstance(value, type) and issubclass(value, nn.Module))
    ]
    return list(dict.fromkeys(list_models(module) + others))


def _public(module: types.ModuleType) -> Iterator[tuple[str, object]]:
    yield from [(name, value) for name, value in vars(module).items() if not name.startswith("_")]


def _advise(home: Home, advice: str) -> str:
    models = list_models(home.module)
    listed = f"{home.text} defines {', '.join(models[:12])}" if models else f"{home.text} defines no torch.nn.Module"
    return "; ".join(part for part in (advice, listed) if part)
