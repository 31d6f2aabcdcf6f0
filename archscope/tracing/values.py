"""The values that flow through a pass: numbers for tensors, and what the trace says of each."""

from typing import Any

import torch
from torch.utils.weak import WeakIdKeyDictionary

from archscope.core.tensors import TensorSpec
from archscope.core.trace import ValueRef


class ValueTable:
    """Numbers tensors by identity. In-place operations give their target a new number."""

    def __init__(self, *, keep_alive: bool) -> None:
        """`keep_alive` holds every tensor, so that identities are not reused: right for tensors without memory."""
        self._numbers: Any = {} if keep_alive else WeakIdKeyDictionary()
        self._keep_alive = keep_alive
        self._kept: list[torch.Tensor] = []
        self._producers: list[int | None] = []
        self._first: Any = {} if keep_alive else WeakIdKeyDictionary()
        self.strangers = 0
        """How many of the values were met, and not made by an operation."""
        self.touched: set[int] = set()
        """Numbers of the values that some operation read."""

    def number_of(self, tensor: torch.Tensor) -> int:
        """The number of the tensor's present value; a new one for a tensor not seen before."""
        number = self._numbers.get(self._key(tensor))
        if number is None:
            self.strangers += 1
            return self.renew(tensor, None)
        return int(number)

    def renew(self, tensor: torch.Tensor, producer: int | None) -> int:
        """Give the tensor a new value, made by operation `producer` (None: from outside)."""
        number = len(self._producers)
        self._producers.append(producer)
        key = self._key(tensor)
        self._numbers[key] = number
        self._first.setdefault(key, number)
        if self._keep_alive:
            self._kept.append(tensor)
        return number

    def first_number_of(self, tensor: torch.Tensor) -> int:
        """The number of the tensor's first value: of a buffer, the one it came with."""
        self.number_of(tensor)
        return int(self._first[self._key(tensor)])

    def was_read(self, tensor: torch.Tensor) -> bool:
        """Whether an operation read the tensor's first value."""
        return self._first.get(self._key(tensor)) in self.touched

    def _key(self, tensor: torch.Tensor) -> Any:
        return id(tensor) if self._keep_alive else tensor

    def producer_of(self, number: int) -> int | None:
        """Index of the operation that made the value, or None."""
        return self._producers[number]

    def refer(self, key: str, tensor: torch.Tensor) -> ValueRef:
        """A reference to the tensor's present value under `key`."""
        return ValueRef(self.number_of(tensor), spec_of(key, tensor))


def spec_of(key: str, tensor: torch.Tensor) -> TensorSpec:
    """Shape and dtype of a tensor under `key`; an uninitialised (lazy) tensor has no sizes yet."""
    try:
        shape = tuple(int(size) for size in tensor.shape)
    except (RuntimeError, AttributeError, TypeError):  # lazy, or nested with sizes that are symbols
        shape = ()
    return TensorSpec(key, shape, dtype_name(tensor.dtype))


def dtype_name(dtype: torch.dtype) -> str:
    """`torch.float32` -> `float32`."""
    return str(dtype).removeprefix("torch.")
