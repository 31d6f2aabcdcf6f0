"""Small constants beside meta tensors: what a forward pass computes from literals and buffers can be read back.

Meta tensors hold no values, yet code reads some: `torch.arange(n).max().item()`, a table built from literals, a small
buffer. Such tensors are computed for real beside the meta pass. A value that depends on the inputs is never guessed.
"""

from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import _disable_current_modes

from archscope.tracing.operators import OperatorInfo
from archscope.tracing.structure import iterate_tensors, list_operands, map_tensors

MAX_ELEMENTS = 4096
"""Larger constants are not computed."""


class DataDependentError(RuntimeError):
    """The forward pass reads values that meta tensors do not have."""

    def __init__(self, operation: str) -> None:
        super().__init__(f"{operation} needs values, and meta tensors have none")
        self.operation = operation


class ConstantTable:
    """Known values of meta tensors, by identity and storage."""

    def __init__(self) -> None:
        self._values: dict[int, torch.Tensor] = {}
        self._originals: dict[int, torch.Tensor] = {}
        self._storages: dict[int, int] = {}
        self._kept: list[torch.Tensor] = []

    def remember_original(self, stand_in: torch.Tensor, original: torch.Tensor) -> None:
        """`stand_in` has the values of `original`, which is copied before anything is computed from it."""
        if original.numel() <= MAX_ELEMENTS and original.device.type == "cpu" and type(original).__name__ in _PLAIN:
            self._originals[id(stand_in)] = original
            self._keep(stand_in)

    def can_evaluate(self, info: OperatorInfo, args: Any, kwargs: dict[str, Any]) -> bool:
        """Whether the operation's real result can be computed: all that it reads is known. A value is never guessed.

        What the operation overwrites with something unknown is known no longer.
        """
        tensors = list_operands(args, kwargs)
        if info.value_free:
            return True
        if all(self._is_known(tensor) for tensor in tensors) and (tensors or info.takes_device) and not info.random:
            return True
        for tensor in _list_written(info, args, kwargs):
            self._forget_storage(tensor)
        return False

    def evaluate(self, func: Any, info: OperatorInfo, args: Any, kwargs: dict[str, Any]) -> Any:
        """The operation's real result; only where `can_evaluate` said so, and where it is small."""
        convert = _blank if info.value_free else self._value_of
        args, kwargs = map_tensors((args, kwargs), convert)
        device = {"device": torch.device("cpu")} if kwargs.get("device") is not None else {}
        return func(*args, **{**kwargs, **device})

    def bind(self, output: Any, known: Any) -> None:
        """Remember the real result `known` for the meta tensors in `output`."""
        for (_, tensor), (_, value) in zip(iterate_tensors(output), iterate_tensors(known), strict=False):
            self._values[id(tensor)] = value
            self._keep(tensor)

    def known_value(self, tensor: torch.Tensor) -> torch.Tensor | None:
        """The real tensor behind a meta tensor, where it is known."""
        return self._value_of(tensor) if self._is_known(tensor) else None

    def list_known(self) -> list[torch.Tensor]:
        """The tensors whose values are, or were, known."""
        return list(self._kept)

    def forget(self, tensor: torch.Tensor) -> None:
        """The tensor's values are no longer known."""
        self._values.pop(id(tensor), None)
        self._originals.pop(id(tensor), None)

    def _keep(self, tensor: torch.Tensor) -> None:
        self._kept.append(tensor)
        self._storages[id(tensor)] = _find_storage(tensor)

    def _is_known(self, tensor: torch.Tensor) -> bool:
        key = id(tensor)
        if key not in self._values and key not in self._originals:
            return False
        # `tensor.data = other` and `set_` give a tensor another storage behind the dispatcher's back.
        return self._storages[key] == _find_storage(tensor)

    def _value_of(self, tensor: torch.Tensor) -> torch.Tensor:
        value = self._values.get(id(tensor))
        if value is None:
            with _disable_current_modes():
                value = self._values[id(tensor)] = self._originals[id(tensor)].detach().clone()
        return value

    def _forget_storage(self, tensor: torch.Tensor) -> None:
        """Forget the tensor and everything that shares memory with it."""
        self._originals.pop(id(tensor), None)
        value = self._values.get(id(tensor))
        if value is None:
            return
        storage = value.untyped_storage().data_ptr()
        for key in [key for key, other in self._values.items() if other.untyped_storage().data_ptr() == storage]:
            del self._values[key]


def reads_values(info: OperatorInfo) -> bool:
    """Whether the operation hands a tensor's values to Python."""
    return info.known is not None and info.known.reads_values


def is_small(output: Any) -> bool:
    """Whether every tensor of an operation's output is small enough to be computed beside the meta pass."""
    return all(tensor.numel() <= MAX_ELEMENTS for _, tensor in iterate_tensors(output))


_PLAIN = ("Tensor", "Parameter", "Buffer")


def _list_written(info: OperatorInfo, args: Any, kwargs: dict[str, Any]) -> list[torch.Tensor]:
    """Tensors that the operation writes to; the schema of batch normalisation does not say that it does."""
    names, silent = info.mutated, info.known.updates if info.known is not None else ()
    named = {**dict(zip(info.argument_names, args, strict=False)), **kwargs} if names or silent else {}
    if silent and named.get("training") is True:
        names = silent
    return [tensor for name in names for _, tensor in iterate_tensors(named.get(name))]


def _find_storage(tensor: torch.Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)


def _blank(tensor: torch.Tensor) -> torch.Tensor:
    return torch.empty((), dtype=tensor.dtype).expand(tensor.shape)


class ReadConstants(TorchFunctionMode):
    """Answers `tolist`, `numpy` and `__array__` of a meta tensor from the table, where it knows the values."""

    def __init__(self, constants: ConstantTable) -> None:
        super().__init__()
        self._constants = constants

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in _READS and isinstance(args[0], torch.Tensor):
            known = self._constants.known_value(args[0])
            if known is not None:
                return func(known, *args[1:], **kwargs)
        return func(*args, **kwargs)


_READS = (torch.Tensor.tolist, torch.Tensor.numpy, torch.Tensor.__array__)
