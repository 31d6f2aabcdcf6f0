"""What modules hold beside their registers: modules and tensors in lists, dicts, objects, closures, class attributes.

PyTorch registers what is assigned to an attribute as a module, a parameter or a buffer, and nothing else. All of it is
read from the dictionaries of the objects: no property, no `__getattr__` and no `__iter__` of a user's class is run.
"""

import collections
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import nn

from archscope.tracing.state import walk_modules

REGISTERS = frozenset({"_modules", "_parameters", "_buffers"})
DEEPEST = 8
"""Containers and objects within each other that are entered."""
MOST_VISITED = 200_000
"""Objects that are looked at in one model: nobody's data set is walked through."""


@dataclass(frozen=True, slots=True)
class Held:
    """One module or tensor that is not registered."""

    place: str
    """`encoder.layers[0]`."""
    value: Any


@dataclass(slots=True)
class Holding:
    """What one attribute holds that is not registered."""

    place: str
    """Path of the module that has it, and its name: `encoder.layers`; of a class attribute, `Encoder.layers`."""
    words: str
    """What holds it, to be read after the place: `a plain list`, `an object of class Heads`, ..."""
    owner: str
    """Class name of the module that has it."""
    container: str = ""
    """`list`, `dict`, `object`, `class`, `closure`; empty where the attribute itself is the module or tensor."""
    modules: list[Held] = field(default_factory=list)
    tensors: list[Held] = field(default_factory=list)


def find_holdings(root: nn.Module) -> tuple[Holding, ...]:
    """Everything that the modules beneath `root` hold, in their order, and that is registered with none of them."""
    return tuple(_Search(root).run())


def list_state(module: nn.Module) -> list[torch.Tensor]:
    """Parameters and buffers of the module and beneath it, each once."""
    parts = [part for _, part in walk_modules(module)]
    held = (tensor for part in parts for group in (part._parameters, part._buffers) for tensor in group.values())
    return list({id(tensor): tensor for tensor in held if tensor is not None}.values())


class _Search:
    def __init__(self, root: nn.Module) -> None:
        self._parts = [
            (path, part) for path, part in walk_modules(root) if not isinstance(part, torch.jit.ScriptModule)
        ]
        self._seen: set[int] = {id(tensor) for tensor in list_state(root)}
        self._seen.update(id(part) for _, part in walk_modules(root))
        self._classes: set[type] = set()
        self._visited = 0

    def run(self) -> Iterator[Holding]:
        entered: set[int] = set()
        waiting = collections.deque(self._parts)
        while waiting:
            path, part = waiting.popleft()
            if id(part) in entered:
                continue
            entered.add(id(part))
            for holding in self._search_part(path, part):
                yield holding
                for held in holding.modules:
                    # What an unregistered module holds in its turn.
                    waiting += [(f"{held.place}.{name}".rstrip("."), inner) for name, inner in walk_modules(held.value)]

    def _search_part(self, path: str, part: nn.Module) -> Iterator[Holding]:
        prefix = f"{path}." if path else ""
        owner = type(part).__name__
        for name, value in list(vars(part).items()):
            if name not in REGISTERS and not _is_bare(value):
                yield from self._search(Holding(f"{prefix}{name}", "", owner), value)
        for kind in type(part).__mro__:
            if kind in self._classes or kind.__module__.partition(".")[0] in ("torch", "builtins"):
                continue
            self._classes.add(kind)
            for name, value in list(vars(kind).items()):
                if _may_stand_in_a_class(value):
                    closure = isinstance(value, types.FunctionType)
                    holding = Holding(
                        f"{kind.__name__}.{name}",
                        "a closure" if closure else "an attribute of the class",
                        owner,
                        "closure" if closure else "class",
                    )
                    yield from self._search(holding, value)

    def _search(self, holding: Holding, value: Any) -> Iterator[Holding]:
        if not holding.words:
            hook = holding.place.endswith("_hooks")
            holding.container, holding.words = ("closure", "a hook") if hook else _describe_container(value)
        self._visit(holding, value, holding.place, 0)
        if holding.modules or holding.tensors:
            yield holding

    def _visit(self, holding: Holding, value: Any, place: str, depth: int) -> None:
        kind = type(value)  # not isinstance: it asks `__class__`, which may be a property or a proxy's
        if issubclass(kind, _ATOMS) or id(value) in self._seen or depth > DEEPEST or self._visited > MOST_VISITED:
            return
        self._seen.add(id(value))
        self._visited += 1
        if issubclass(kind, nn.Module):
            holding.modules.append(Held(place, value))
            self._seen.update(id(part) for _, part in walk_modules(value))
            self._seen.update(id(tensor) for tensor in list_state(value))
        elif issubclass(kind, torch.Tensor):
            holding.tensors.append(Held(place, value))
        else:
            for name, item in _list_items(value, kind):
                self._visit(holding, item, place + name, depth + 1)


_ATOMS = (
    type(None), bool, int, float, complex, str, bytes, bytearray, type, range, slice, types.ModuleType, types.CodeType,
    types.BuiltinFunctionType, torch.dtype, torch.device, torch.Size, torch.Generator,
)  # fmt: skip
_SEQUENCES: tuple[tuple[type, Callable[[Any], Iterator[Any]]], ...] = (
    (list, list.__iter__),
    (tuple, tuple.__iter__),
    (set, set.__iter__),
    (frozenset, frozenset.__iter__),
    (collections.deque, collections.deque.__iter__),
)
_PLAIN = frozenset({*(base for base, _ in _SEQUENCES), dict, collections.OrderedDict, types.MethodType})
"""What has no attributes of its own."""


_BARE_KINDS = frozenset(_ATOMS)


def _is_bare(value: Any) -> bool:
    """Whether it is an atom, or a built-in container of nothing else: most attributes of most modules, seen fast."""
    kind = type(value)
    if kind in _BARE_KINDS:
        return True
    if kind is tuple or kind is list:
        return all(type(item) in _BARE_KINDS for item in value)
    return kind in (dict, set, collections.OrderedDict) and not value


def _list_items(value: Any, kind: type) -> Iterator[tuple[str, Any]]:
    """What is directly within `value`, with what its place adds to that of `value`."""
    for base, iterate in _SEQUENCES:
        if issubclass(kind, base):
            yield from ((f"[{number}]", item) for number, item in enumerate(list(iterate(value))))
    if issubclass(kind, dict):
        for key, item in list(dict.items(value)):
            yield f"[{key!r}]" if type(key) in (str, int) else "[...]", item
            yield "[...]", key
    elif issubclass(kind, types.FunctionType):
        cells = zip(value.__code__.co_freevars, value.__closure__ or (), strict=False)
        yield from ((f"<{name}>", cell.cell_contents) for name, cell in cells if _is_filled(cell))
        yield from (("<default>", item) for item in value.__defaults__ or ())
        yield from ((f"<{name}>", item) for name, item in (value.__kwdefaults__ or {}).items())
    elif issubclass(kind, types.MethodType):
        yield from (("", value.__self__), ("", value.__func__))
    elif issubclass(kind, partial):
        yield from (("", value.func), ("", value.args), ("", value.keywords))
    if kind not in _PLAIN:
        yield from _list_attributes(value, kind)


def _list_attributes(value: Any, kind: type) -> Iterator[tuple[str, Any]]:
    """The instance's own dictionary and slots."""
    try:
        own = object.__getattribute__(value, "__dict__")
    except (AttributeError, TypeError):
        own = {}
    if type(own) is dict:
        yield from ((f".{name}", item) for name, item in list(own.items()))
    for base in kind.__mro__:
        for name, member in vars(base).items():
            if type(member) is types.MemberDescriptorType and "__slots__" in vars(base):
                try:
                    yield f".{name}", member.__get__(value, kind)
                except (AttributeError, TypeError):  # a slot that is empty
                    continue


def _is_filled(cell: types.CellType) -> bool:
    try:
        _ = cell.cell_contents
    except ValueError:
        return False
    return True


def _may_stand_in_a_class(value: object) -> bool:
    kind = type(value)
    if issubclass(kind, types.FunctionType):
        return bool(value.__closure__)  # type: ignore[attr-defined]
    return issubclass(kind, (nn.Module, torch.Tensor, dict, *(base for base, _ in _SEQUENCES)))


def _describe_container(value: object) -> tuple[str, str]:
    """What kind of thing the attribute is, and how it is called in a sentence."""
    kind = type(value)
    if issubclass(kind, nn.Module):
        return "", "set past nn.Module.__setattr__"
    if issubclass(kind, torch.Tensor):
        return "", "a plain tensor"
    if issubclass(kind, (types.FunctionType, types.MethodType, partial)):
        return "closure", "a closure"
    if issubclass(kind, dict):
        return "dict", "a plain dict"
    for base, _ in _SEQUENCES:
        if issubclass(kind, base):
            return "list", f"a plain {base.__name__}"
    return "object", f"an object of class {kind.__name__}"
