"""What one argument of forward is asked to be: sizes of a tensor, plain data, or a list, tuple or dict of these."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias


@dataclass(frozen=True, slots=True)
class Sizes:
    """A tensor inside a list, tuple or dict."""

    shape: tuple[int, ...]
    dtype: str | None = None
    """None: that of the module's floating-point parameters."""
    data: Any = None
    """Its values as nested lists of numbers; None where only the shape is asked for."""


@dataclass(frozen=True, slots=True)
class Plain:
    """A value that is no tensor."""

    value: bool | int | float | str | None


@dataclass(frozen=True, slots=True)
class Group:
    """Values in a container."""

    kind: Literal["list", "tuple", "dict"]
    items: tuple["Value", ...]
    keys: tuple[str, ...] = ()
    """Of a dict, one for each item."""


Value: TypeAlias = Sizes | Plain | Group


@dataclass(frozen=True, slots=True)
class InputSpec:
    """One input asked for."""

    name: str | None
    """The parameter of forward; None where the input is positional."""
    shape: tuple[int, ...]
    """The sizes; `(N,)` where `square` is set; empty where the words can mean no lone tensor."""
    dtype: str | None
    """None where it is left to the target."""
    square: int | None = None
    """The side where only `N` was given: square images, with the target's own channels and batch 1."""
    value: Value | None = None
    """What else than a tensor of `shape` the words may mean: `0.5`, `[3x32x32, 3x16x16]`, `(7, 7)`."""
    exact: bool = False
    """Whether nothing is left to the model: the tensor of `shape`, else `value`, as it stands."""

    @property
    def is_flexible(self) -> bool:
        """Whether the model decides how the sizes are read: neither a name nor a dtype was given with them."""
        return not self.exact and self.name is None and self.dtype is None and bool(self.shape)


def iterate_sizes(value: Value, key: str = "") -> Iterator[tuple[str, Sizes]]:
    """The tensors in `value`, with keys such as `0.hidden`."""
    if isinstance(value, Sizes):
        yield key, value
    elif isinstance(value, Group):
        for name, item in zip(_name_items(value), value.items, strict=True):
            yield from iterate_sizes(item, f"{key}.{name}" if key else name)


def map_sizes(value: Value, function: Callable[[str, Sizes], Sizes], key: str = "") -> Value:
    """`value` with `function` applied to each tensor in it and its key."""
    if isinstance(value, Sizes):
        return function(key, value)
    if isinstance(value, Plain):
        return value
    items = zip(_name_items(value), value.items, strict=True)
    changed = tuple(map_sizes(item, function, f"{key}.{name}" if key else name) for name, item in items)
    return replace(value, items=changed)


def _name_items(group: Group) -> tuple[str, ...]:
    return group.keys or tuple(map(str, range(len(group.items))))


def write_spec(spec: InputSpec) -> str:
    """`x=8x128x64:int64`, as one types it."""
    name = f"{spec.name}=" if spec.name is not None else ""
    if not spec.shape:
        return name + (write_value(spec.value) if spec.value is not None else "")
    one = spec.exact and spec.dtype is None and len(spec.shape) == 1
    shape = f"({spec.shape[0]},)" if one else "x".join(map(str, spec.shape))
    return name + shape + (f":{spec.dtype}" if spec.dtype else "")


def write_value(value: Value) -> str:
    """`[1x3x64x64, 2]`, as one types it."""
    if isinstance(value, Plain):
        return repr(value.value)
    if isinstance(value, Sizes):
        shape = "x".join(map(str, value.shape)) if value.data is None else f"tensor({value.data})"
        return shape + (f":{value.dtype}" if value.dtype and value.data is None else "")
    items = [write_value(item) for item in value.items]
    if value.kind == "dict":
        return "{" + ", ".join(f"{key}: {item}" for key, item in zip(value.keys, items, strict=True)) + "}"
    return f"[{', '.join(items)}]" if value.kind == "list" else f"({', '.join(items)}{',' if len(items) == 1 else ''})"
