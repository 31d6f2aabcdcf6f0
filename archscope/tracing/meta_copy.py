"""Copies a user's module so that the copy may be traced: the module itself is never run or changed.

On meta the copy's tensors are stand-ins without memory; for fake tensors they are converted; for a real pass they are
copied. What `deepcopy` cannot copy (locks, generators, handles) is shared with the original and said in the notes.
"""

import copy
from collections.abc import Callable
from types import CellType, FunctionType
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy
from torch.overrides import TorchFunctionMode

from archscope.core.errors import pass_interrupt
from archscope.modules import is_training, iterate_modules, name_modules, name_parameters, set_training

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
                    converted = memo[id(tensor)] = self._convert(tensor)
                    if tensor.requires_grad and tensor.is_leaf and converted.is_leaf:
                        converted.requires_grad_()
            return memo[id(tensor)]
        if func is torch.Tensor.clone:  # of a Parameter that is not registered: its own __deepcopy__ clones its data
            with torch._C.DisableTorchFunction():
                return self._convert(args[0])
        return func(*args, **(kwargs or {}))


def copy_module(module: nn.Module, convert: TensorMap) -> tuple[nn.Module, tuple[str, ...]]:
    """A copy of `module` in which every tensor is `convert(tensor)`, and notes on what is shared with it."""
    memo: dict[int, Any] = {}
    for tensor in _registered_tensors(module):
        if id(tensor) not in memo:
            memo[id(tensor)] = _convert_registered(tensor, convert)
    with _CopyTensors(convert):
        attempt = dict(memo)
        notes: tuple[str, ...] = ()
        try:
            copied = copy.deepcopy(module, attempt)
        except BaseException as error:  # noqa: BLE001  any class may refuse deepcopy, with any exception
            pass_interrupt(error)
            shared: list[str] = []
            attempt = memo
            copied = _copy_structure(module, attempt, shared)
            notes = (f"shared with the original, since they cannot be copied: {', '.join(shared)}",)
        _rebind_closures(copied, attempt)
        _keep_gradient_flags(module, copied)
        _keep_training_flags(module, copied)
        return copied, notes


def _keep_gradient_flags(module: nn.Module, copied: nn.Module) -> None:
    """Give the copy's scripted parameters their `requires_grad`, which deepcopy drops where gradients are off."""
    if any(isinstance(part, torch.jit.ScriptModule) for part in iterate_modules(module)):
        copies = dict(name_parameters(copied))
        for path, tensor in name_parameters(module):
            if path in copies:
                copies[path].requires_grad_(tensor.requires_grad)


def _keep_training_flags(module: nn.Module, copied: nn.Module) -> None:
    """Put the copy in the original's mode where a class copies itself, as torchvision's feature extractors do.

    Their copies begin in training mode, and what they run depends on it: their own `train` is called.
    """
    if any(hasattr(type(part), "__deepcopy__") for part in iterate_modules(module)):
        copies = dict(name_modules(copied))
        for path, part in name_modules(module):
            if path in copies and is_training(copies[path]) != is_training(part):
                set_training(copies[path], is_training(part))


def _rebind_closures(copied: nn.Module, memo: dict[int, Any]) -> None:
    """Give the copy functions that closed over the copy.

    deepcopy shares functions kept on modules (`module.forward = lambda x: original(x)`), which know the original.
    """
    for part in iterate_modules(copied):
        for name, value in list(part.__dict__.items()):
            if isinstance(value, FunctionType) and any(map(_holds_module, value.__closure__ or ())):
                try:
                    part.__dict__[name] = _copy_function(value, memo)
                except BaseException as error:  # noqa: BLE001  what it closed over refuses deepcopy: it stays shared
                    pass_interrupt(error)


def _holds_module(cell: CellType) -> bool:
    try:
        value = cell.cell_contents
    except ValueError:
        return False
    return isinstance(value, nn.Module) or isinstance(getattr(value, "__self__", None), nn.Module)


def _copy_function(function: FunctionType, memo: dict[int, Any]) -> FunctionType:
    cells = tuple(
        CellType(copy.deepcopy(cell.cell_contents, memo)) if _holds_module(cell) else cell
        for cell in function.__closure__ or ()
    )
    made = FunctionType(function.__code__, function.__globals__, function.__name__, function.__defaults__, cells)
    made.__kwdefaults__ = function.__kwdefaults__
    made.__dict__.update(function.__dict__)
    return made


def _registered_tensors(module: nn.Module) -> list[torch.Tensor]:
    found = []
    for part in iterate_modules(module):
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
    if isinstance(module, torch.jit.ScriptModule):
        scripted: nn.Module = copy.deepcopy(module, memo)
        return scripted
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
        except BaseException as error:  # noqa: BLE001  as above; the notes say what is shared
            pass_interrupt(error)
            new.__dict__[name] = value
            shared.append(f"{path}{name}")
    return new
