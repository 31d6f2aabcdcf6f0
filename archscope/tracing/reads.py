"""Known constants read back as lists and arrays: `torch.arange(3).tolist()` on meta, where the values are known."""

from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from archscope.tracing.constants import ConstantTable


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
