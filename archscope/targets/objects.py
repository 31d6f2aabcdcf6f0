"""The object named in a file or module (`Net`, `Net.Inner`) as a target."""

import inspect
import types
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from archscope.core.errors import FixedArgumentError, TargetError, UnknownNameError
from archscope.core.trace import SourceSpan
from archscope.targets.constructor import call_constructor, check_call, describe_value
from archscope.targets.definition import find_definition
from archscope.targets.imports import ImportScope
from archscope.targets.parts import find_network, has_forward, take_part
from archscope.targets.target import Target, freeze_arguments

KINDS = "name a torch.nn.Module class, an instance of one, or a function that returns one"


@dataclass(frozen=True, slots=True)
class Home:
    """Where objects were found: a file, a notebook, or an imported module."""

    text: str
    """As people call it: `lecture.py`."""
    module: types.ModuleType
    """What running it made."""
    scope: ImportScope
    """What its code sees while it runs."""
    notes: tuple[str, ...]

    def enter(self) -> AbstractContextManager[None]:
        """The scope that its code runs in."""
        return self.scope.enter()

    def hold(self) -> AbstractContextManager[None]:
        """The same for forward passes."""
        return self.scope.hold()


def find_object_target(home: Home, name: str, text: str, arguments: Mapping[str, Any]) -> Target:
    """The target `text`, which is the object `name` of `home`, or a part of the module that it makes (`Net.encoder`).

    Raises UnknownNameError where nothing has that name, TargetError where it is no model or cannot be called so.
    """
    found, part = find_object(home, name)
    name = name.removesuffix(f".{part}") if part else name
    if isinstance(found, nn.Module):
        return _find_instance(home, _Named(name, part, text), found, arguments)
    if not callable(found) or (isinstance(found, type) and not issubclass(found, nn.Module)):
        what = "a class that is no torch.nn.Module" if isinstance(found, type) else describe_value(found)
        raise TargetError(f"{name} of {home.text} is {what}, not a model", _advise(home, KINDS))
    made = _Made(home, found, dict(arguments), _Named(name, part, text))
    check_call(found, arguments, made.owner)
    notes = home.notes
    if isinstance(found, type) and not part and not has_forward(found):
        made, notes = _enter_network(made)
    return Target(
        text=text,
        title=f"{name}.{made.named.part}" if made.named.part else name,
        build=made.build,
        arguments=freeze_arguments(arguments),
        notes=notes,
        scope=home.hold,
        definition=_define(home, found, name),
    )


@dataclass(frozen=True, slots=True)
class _Named:
    """An object as it was named."""

    name: str
    part: str
    """Of the module it makes; empty for the whole."""
    text: str

    @property
    def whole(self) -> str:
        """The target without the part: `net.py:Net`."""
        return self.text.removesuffix(f".{self.part}") if self.part else self.text


@dataclass(frozen=True, slots=True)
class _Made:
    """What a constructor makes when it is called."""

    home: Home
    constructor: Callable[..., Any]
    arguments: Mapping[str, Any]
    named: _Named

    @property
    def owner(self) -> str:
        """`Net of net.py`."""
        return f"{self.named.name} of {self.home.text}"

    def call(self) -> nn.Module:
        """The whole module. Raises TargetError."""
        with self.home.enter():
            return call_constructor(self.constructor, self.arguments, self.owner)

    def build(self) -> nn.Module:
        """The part that is meant. Raises TargetError, UnknownNameError."""
        return _take(self.call(), self.named, self.owner)


def keep_seed() -> AbstractContextManager[None]:
    """Random numbers drawn in here leave the generators as they were."""
    return torch.random.fork_rng(devices=())


def _take(module: nn.Module, named: _Named, owner: str) -> nn.Module:
    found = take_part(module, named.part, owner) if named.part else module
    inner = find_network(found, named.text)
    return take_part(found, inner, owner) if inner else found


def _enter_network(made: _Made) -> tuple[_Made, tuple[str, ...]]:
    """The same for the network that a module without a forward of its own holds."""
    with keep_seed():
        try:
            with torch.device("meta"):
                whole = made.call()
        except TargetError:  # some constructors read values, which meta tensors do not have
            whole = made.call()
    part = find_network(whole, made.named.text)
    note = (
        f"{made.named.name} has no forward of its own: {made.named.name}.{part}, the network that it holds, is traced"
    )
    named = replace(made.named, part=part, text=f"{made.named.text}.{part}")
    return replace(made, named=named), (*made.home.notes, note)


def _find_instance(home: Home, named: _Named, found: nn.Module, arguments: Mapping[str, Any]) -> Target:
    name = named.name
    if arguments:
        argument = next(iter(arguments))
        raise FixedArgumentError(
            argument,
            f"{name} of {home.text} is a {type(found).__name__} that exists already, so it takes no arguments",
            f"leave out --arg {argument}, or name the class {type(found).__name__}",
        )
    taken = _take(found, named, f"{name} of {home.text}")
    notes = home.notes
    if taken is not found and not named.part:
        notes = (*notes, f"{name} has no forward of its own: the network that it holds is traced")
    return Target(
        text=named.text,
        title=name,
        build=lambda: taken,
        is_instance=True,
        notes=notes,
        scope=home.hold,
        definition=_define(home, found, name),
    )


def _define(home: Home, found: object, name: str) -> SourceSpan | None:
    return find_definition(found, name, getattr(home.module, "__file__", None))


def find_object(home: Home, name: str) -> tuple[object, str]:
    """The object, and the path of the part of the module that it makes (`encoder.0` of `Net.encoder.0`).

    Raises UnknownNameError, with the models that `home` defines.
    """
    found: object = home.module
    parts = name.split(".")
    for depth, part in enumerate(parts):
        if depth and _makes_module(found) and not _is_nested(found, part):
            return found, ".".join(parts[depth:])
        names = vars(found) if isinstance(found, (types.ModuleType, type)) else {}
        if not hasattr(found, part):
            known = list_factories(home.module) if depth == 0 else [key for key in names if not key.startswith("_")]
            raise UnknownNameError(f"object in {home.text}:", name, known, _advise(home, ""))
        found = getattr(found, part)
    return found, ""


def _makes_module(value: object) -> bool:
    return isinstance(value, (nn.Module, types.FunctionType)) or is_module_class(value)


def _is_nested(owner: object, part: str) -> bool:
    """Whether a class holds it itself: another class, a static or class method, an instance."""
    if not isinstance(owner, type):
        return False
    held = inspect.getattr_static(owner, part, None)
    return isinstance(held, (type, staticmethod, classmethod, nn.Module))


def is_module_class(value: object) -> bool:
    """Whether it is a class of modules."""
    return isinstance(value, type) and issubclass(value, nn.Module)


def list_models(module: types.ModuleType) -> list[str]:
    """Names of the Module classes defined in `module`, then of the instances it holds."""
    classes = [name for name, value in list_public(module) if is_module_class(value)]
    own = [name for name in classes if getattr(module, name).__module__ == module.__name__]
    return own + [name for name, value in list_public(module) if isinstance(value, nn.Module)]


def list_factories(module: types.ModuleType) -> list[str]:
    """All names that could be a target: models, then functions and imported Module classes."""
    others = [
        name for name, value in list_public(module) if isinstance(value, types.FunctionType) or is_module_class(value)
    ]
    return list(dict.fromkeys(list_models(module) + others))


def list_public(module: types.ModuleType) -> Iterator[tuple[str, object]]:
    """Names without a leading underscore, with their values."""
    yield from [(name, value) for name, value in vars(module).items() if not name.startswith("_")]


def _advise(home: Home, advice: str) -> str:
    models = list_models(home.module)
    listed = f"{home.text} defines {', '.join(models[:12])}" if models else f"{home.text} defines no torch.nn.Module"
    return "; ".join(part for part in (advice, listed) if part)
