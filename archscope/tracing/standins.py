"""A user's module goes in; a copy that may be traced comes out, and the module itself is never run or changed.

On meta the copy's tensors are stand-ins without memory; for fake tensors they are converted; for a real pass they are
copied. What `deepcopy` cannot copy (locks, generators, handles) is shared with the original and said in the notes.
"""

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy
from torch.overrides import TorchFunctionMode

TensorMap = Callable[[torch.Tensor], torch.Tensor]


class _CopyTensors(TorchFunctionMode):
    """While it is on, deepcopy of a tensor gives `convert(tensor)`."""

    def __init__(self, convert: TensorMap) -> None:
        super().__init__()
        self._convert = convert

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.Tensor.__deepcopy__:
            tensor, memo = args
            if id(tensor) not in memo:
                with torch._C.DisableTorchFunction():
                    memo[id(tensor)] = self._convert(tensor)
            return memo[id(tensor)]
        return func(*args, **(kwargs or {}))


def copy_module(module: nn.Module, convert: TensorMap) -> tuple[nn.Module, tuple[str, ...]]:
    """A copy of `module` in which every tensor is `convert(tensor)`, and notes on what is shared with it."""
    memo: dict[int, Any] = {}
    for tensor in _registered_tensors(module):
        if id(tensor) not in memo:
            memo[id(tensor)] = _convert_registered(tensor, convert)
    with _CopyTensors(convert):
        try:
            return copy.deepcopy(module, dict(memo)), ()
        except Exception:  # noqa: BLE001  any class may refuse deepcopy, with any exception
            shared: list[str] = []
            copied = _copy_structure(module, memo, shared)
            return copied, (f"shared with the original, since they cannot be copied: {', '.join(shared)}",)


def _registered_tensors(module: nn.Module) -> list[torch.Tensor]:
    found = []
    for part in module.modules():
        if isinstance(part, torch.jit.ScriptModule):
            continue
        found += [tensor for tensor in (*part._parameters.values(), *part._buffers.values()) if tensor is not None]
    return found


def _convert_registered(tensor: torch.Tensor, convert: TensorMap) -> torch.Tensor:
    if is_lazy(tensor):
        lazy = type(tensor)(device="meta", dtype=tensor.dtype)  # type: ignore[call-arg]
        return lazy if convert(torch.empty(0)).device.type == "meta" else copy.deepcopy(tensor)
    converted = convert(tensor)
    if isinstance(tensor, nn.Parameter) and not isinstance(converted, nn.Parameter):
        converted = nn.Parameter(converted, requires_grad=tensor.requires_grad)
    return converted


def _copy_structure(module: nn.Module, memo: dict[int, Any], shared: list[str], path: str = "") -> nn.Module:
    """Copy module by module, attribute by attribute; an attribute that cannot be copied is shared."""
    if id(module) in memo:
        known: nn.Module = memo[id(module)]
        return known
    new = module.__class__.__new__(module.__class__)
    memo[id(module)] = new
    for name, value in module.__dict__.items():
        if name == "_modules":
            new.__dict__[name] = type(value)(
                (key, child if child is None else _copy_structure(child, memo, shared, f"{path}{key}."))
                for key, child in value.items()
            )
            continue
        try:
            new.__dict__[name] = copy.deepcopy(value, memo)
        except Exception:  # noqa: BLE001  as above; the notes say what is shared
            new.__dict__[name] = value
            shared.append(f"{path}{name}")
    return new
