"""Small constants beside meta tensors: what a forward pass computes from literals and buffers can be read back.

Meta tensors hold no values, yet code reads some: `torch.arange(n).max().item()`, a table built from literals, a small
buffer. Such tensors are computed for real beside the meta pass. A value that depends on the inputs is never guessed.
"""

from typing import Any

import torch

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
    """Known values of meta tensors, by identity."""

    def __init__(self) -> None:
        self._values: dict[int, torch.Tensor] = {}
        self._originals: dict[int, torch.Tensor] = {}
        self._kept: list[torch.Tensor] = []

    def remember_original(self, stand_in: torch.Tensor, original: torch.Tensor) -> None:
        """`stand_in` has the values of `original`, which is copied before anything is computed from it."""
        if original.numel() <= MAX_ELEMENTS and original.device.type == "cpu" and type(original).__name__ in _PLAIN:
            self._originals[id(stand_in)] = original
            self._kept.append(stand_in)

    def evaluate(self, func: Any, info: OperatorInfo, args: Any, kwargs: dict[str, Any]) -> Any:
        """The operation's real result where all its inputs are known and small, else None.

        Raises:
            DataDependentError: the operation returns a Python number and its inputs are not known.
        """
        tensors = list_operands(args, kwargs)
        if info.value_free:
            return self._run(func, *map_tensors((args, kwargs), _blank)) if _is_small(tensors) else None
        if all(self._is_known(tensor) for tensor in tensors) and (tensors or info.takes_device) and not info.random:
            if tensors or _factory_size(func, args) <= MAX_ELEMENTS:
                return self._run(func, *map_tensors((args, kwargs), self._value_of))
            return None
        if info.mutated:
            self._forget_mutated(info, args, kwargs)
        if info.name in _READS_VALUES:
            raise DataDependentError(info.name)
        return None

    def bind(self, output: Any, known: Any) -> None:
        """Remember the real result `known` (None: nothing) for the meta tensors in `output`."""
        if known is None:
            return
        pairs = zip(iterate_tensors(output), iterate_tensors(known), strict=False)
        for (_, tensor), (_, value) in pairs:
            if value.numel() <= MAX_ELEMENTS:
                self._values[id(tensor)] = value
                self._kept.append(tensor)

    def known_value(self, tensor: torch.Tensor) -> torch.Tensor | None:
        """The real tensor behind a meta tensor, where it is known."""
        return self._value_of(tensor) if self._is_known(tensor) else None

    def forget(self, tensor: torch.Tensor) -> None:
        """The tensor's values are no longer known."""
        self._values.pop(id(tensor), None)
        self._originals.pop(id(tensor), None)

    def _run(self, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        device = {"device": torch.device("cpu")} if kwargs.get("device") is not None else {}
        return func(*args, **{**kwargs, **device})

    def _is_known(self, tensor: torch.Tensor) -> bool:
        return id(tensor) in self._values or id(tensor) in self._originals

    def _value_of(self, tensor: torch.Tensor) -> torch.Tensor:
        value = self._values.get(id(tensor))
        if value is None:
            value = self._values[id(tensor)] = self._originals[id(tensor)].detach().clone()
        return value

    def _forget_mutated(self, info: OperatorInfo, args: Any, kwargs: dict[str, Any]) -> None:
        named = {**dict(zip(info.argument_names, args, strict=False)), **kwargs}
        for name in info.mutated:
            for _, tensor in iterate_tensors(named.get(name)):
                self._originals.pop(id(tensor), None)
                value = self._values.get(id(tensor))
                if value is not None:
                    storage = value.untyped_storage().data_ptr()
                    stale = [key for key, v in self._values.items() if v.untyped_storage().data_ptr() == storage]
                    for key in stale:
                        del self._values[key]


_PLAIN = ("Tensor", "Parameter", "Buffer")
_READS_VALUES = frozenset({"aten._local_scalar_dense", "aten.item", "aten.is_nonzero", "aten.equal"})


def _is_small(tensors: list[torch.Tensor]) -> bool:
    return all(tensor.numel() <= MAX_ELEMENTS for tensor in tensors)


def _blank(tensor: torch.Tensor) -> torch.Tensor:
    return torch.empty(tensor.shape, dtype=tensor.dtype)


def _factory_size(func: Any, args: Any) -> int:
    """Elements a factory would make, from its arguments alone; large where that cannot be told."""
    base = func._schema.name.partition("::")[2]
    numbers = [value for value in args if isinstance(value, (int, float))]
    if base == "arange" and numbers:
        start, end = (0, numbers[0]) if len(numbers) == 1 else numbers[:2]
        step = numbers[2] if len(numbers) > 2 else 1
        return int(abs((end - start) / step)) + 1 if step else 0
    if base in ("linspace", "logspace") and len(numbers) > 2:
        return int(numbers[2])
    if base in ("eye", "hann_window", "hamming_window") and numbers:
        return int(numbers[0]) * int(numbers[-1])
    if base in ("zeros", "ones", "full", "scalar_tensor"):
        size = 1
        for length in args[0] if args and isinstance(args[0], (tuple, list)) else ():
            size *= int(length)
        return size
    return MAX_ELEMENTS + 1
