"""What torch's `nn.Module` does, done to modules whose attributes may hide its methods.

People keep plain lists named `modules`, flags named `train`, properties named `children`: torch allows all of it, and a
forward pass never notices. Where a module's parts, parameters and buffers are listed, what is registered counts, not
what a method of that name says. Where something is done to a module (`train`, `to`, ...), a method that its class
overrides is called, and what is no method is out of the way meanwhile.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import FunctionType
from typing import Any

import torch
from torch import nn

_METHODS = frozenset(
    name for name, value in vars(nn.Module).items() if isinstance(value, FunctionType) and not name.startswith("__")
) - {"forward"}
_LISTING = frozenset({
    "modules", "children", "parameters", "buffers",
    "named_modules", "named_children", "named_parameters", "named_buffers",
})  # fmt: skip
"""What torch's other methods go by: here it is always torch's own."""


def iterate_modules(root: nn.Module) -> Iterator[nn.Module]:
    """The root and every module beneath it, each once, as `root.modules()` would."""
    waiting: list[nn.Module | None] = [root]
    seen: set[int] = set()
    while waiting:
        module = waiting.pop()
        if module is not None and id(module) not in seen:
            seen.add(id(module))
            yield module
            waiting += reversed(module._modules.values())


def name_modules(root: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The same with the first path of each, as `root.named_modules()` would."""
    waiting: list[tuple[str, nn.Module]] = [("", root)]
    seen: set[int] = set()
    while waiting:
        path, module = waiting.pop()
        if id(module) in seen:
            continue
        seen.add(id(module))
        yield path, module
        prefix = f"{path}." if path else ""
        waiting += [(f"{prefix}{name}", child) for name, child in reversed(name_children(module))]


def has_children(module: nn.Module) -> bool:
    """Whether any module is registered on it."""
    return any(child is not None for child in module._modules.values())


def name_parameters(root: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """Parameters of the root and beneath, each tensor once, as `root.named_parameters()` would."""
    return _name_tensors(root, "_parameters")


def name_buffers(root: nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """Buffers of the root and beneath, each tensor once, as `root.named_buffers()` would."""
    return _name_tensors(root, "_buffers")


def iterate_parameters(root: nn.Module) -> Iterator[nn.Parameter]:
    """Parameters of the root and beneath, each tensor once, as `root.parameters()` would."""
    return _iterate_unique(tensor for module in iterate_modules(root) for tensor in module._parameters.values())


def iterate_buffers(root: nn.Module) -> Iterator[torch.Tensor]:
    """Buffers of the root and beneath, each tensor once, as `root.buffers()` would."""
    return _iterate_unique(tensor for module in iterate_modules(root) for tensor in module._buffers.values())


def iterate_tensors_of(root: nn.Module) -> Iterator[torch.Tensor]:
    """Parameters, then buffers."""
    yield from iterate_parameters(root)
    yield from iterate_buffers(root)


def find_module(root: nn.Module, path: str) -> nn.Module:
    """The module registered at `path`, as `root.get_submodule(path)` would. Raises KeyError where there is none."""
    module = root
    for name in path.split(".") if path else ():
        module = dict(name_children(module))[name]
    return module


def is_training(module: nn.Module) -> bool:
    """Its training flag: true, as torch makes it, where something else goes by that name; frozen scripts have none."""
    flag = getattr(module, "training", False)
    return bool(flag) if isinstance(flag, int) else True


def set_training(module: nn.Module, flag: bool = True) -> nn.Module:  # noqa: FBT001, FBT002  as `Module.train`
    """`module.train(flag)`: what a class overrides (batch normalisation that stays frozen) is called."""
    call_method(module, "train", flag)
    return module


@contextmanager
def keep_training_flags(root: nn.Module) -> Iterator[None]:
    """Put every part's training flag back in the end."""
    flags = [(module, module.training) for module in iterate_modules(root) if hasattr(module, "training")]
    try:
        yield
    finally:
        for module, flag in flags:
            module.training = flag


def clear_gradients(root: nn.Module) -> None:
    """Drop the gradient of every parameter, as `root.zero_grad(set_to_none=True)` would."""
    for tensor in iterate_parameters(root):
        tensor.grad = None


def call_method(root: nn.Module, name: str, *args: Any, **kwargs: Any) -> Any:
    """`root.NAME(...)` for a method of `nn.Module`, or of a class that overrides it, whatever hides such methods."""
    with _reveal_methods(root):
        return getattr(root, name)(*args, **kwargs)


@contextmanager
def _reveal_methods(root: nn.Module) -> Iterator[None]:
    """Take out of the way what hides the methods of `nn.Module` in the root and beneath it."""
    changed: list[tuple[nn.Module, type[nn.Module], dict[str, Any]]] = []
    clear: dict[type[nn.Module], type[nn.Module]] = {}
    try:
        for module in list(iterate_modules(root)):
            kind, attributes = type(module), module.__dict__
            if kind not in clear:
                clear[kind] = _clear_class(kind)
            names = [name for name in _METHODS & attributes.keys() if _hides(name, attributes[name])]
            if names or clear[kind] is not kind:
                changed.append((module, kind, {name: attributes.pop(name) for name in names}))
                if clear[kind] is not kind:
                    module.__class__ = clear[kind]
        yield
    finally:
        for module, kind, taken in changed:
            if type(module) is not kind:
                module.__class__ = kind
            module.__dict__.update(taken)


def _clear_class(kind: type[nn.Module]) -> type[nn.Module]:
    """The class itself, or a subclass with torch's methods in the place of what hides them."""
    names = [name for name in _METHODS if _is_hidden(kind, name)]
    return type(kind.__name__, (kind,), {name: vars(nn.Module)[name] for name in names}) if names else kind


def _is_hidden(kind: type[nn.Module], name: str) -> bool:
    owner = next(base for base in kind.__mro__ if name in vars(base))
    return not owner.__module__.startswith("torch.") and _hides(name, vars(owner)[name])


def _hides(name: str, value: object) -> bool:
    return name in _LISTING or not callable(value)


def name_children(module: nn.Module) -> list[tuple[str, nn.Module]]:
    """The modules registered on it itself, with their names, as `module.named_children()` would."""
    return [(name, child) for name, child in module._modules.items() if child is not None]


def _iterate_unique(tensors: Iterable[Any]) -> Iterator[Any]:
    return iter({id(tensor): tensor for tensor in tensors if tensor is not None}.values())


def _name_tensors(root: nn.Module, where: str) -> Iterator[tuple[str, Any]]:
    seen: set[int] = set()
    for path, module in name_modules(root):
        for name, tensor in getattr(module, where).items():
            if tensor is not None and id(tensor) not in seen:
                seen.add(id(tensor))
                yield f"{path}.{name}" if path else name, tensor
