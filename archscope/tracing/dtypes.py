"""Operands whose dtypes do not fit: meta kernels let them pass, real ones refuse."""

from typing import Any

import torch

from archscope.tracing.operators import OperatorInfo

_OPERANDS: dict[str, tuple[int, ...]] = {
    "aten.convolution": (0, 1, 2),
    "aten.addmm": (0, 1, 2),
    "aten.mm": (0, 1),
    "aten.bmm": (0, 1),
    "aten.baddbmm": (0, 1, 2),
    "aten.addbmm": (1, 2),
    "aten.mv": (0, 1),
    "aten.dot": (0, 1),
    "aten.addmv": (0, 1, 2),
    "aten.linear": (0, 1, 2),
}


_NORMS = {"aten.native_batch_norm": 5, "aten.native_layer_norm": 4, "aten.native_group_norm": 3}
"""How many leading arguments may be tensors."""
_HALVES = (torch.float16, torch.bfloat16)


def _check_norm(info: OperatorInfo, args: tuple[Any, ...]) -> None:
    x, *others = [arg for arg in args[: _NORMS[info.name]] if isinstance(arg, torch.Tensor)]
    for other in others:
        if other.dtype != x.dtype and not (x.dtype in _HALVES and other.dtype is torch.float32):
            raise RuntimeError(
                f"mixed dtype: {info.name} got an input of {x.dtype} and parameters or statistics of {other.dtype}"
            )


def check_operand_dtypes(info: OperatorInfo, args: tuple[Any, ...]) -> None:
    """Refuse what a real kernel would refuse.

    Raises:
        RuntimeError: two operands of a product or convolution differ in dtype.
    """
    positions = _OPERANDS.get(info.name)
    if positions is None:
        if info.name in _NORMS:
            _check_norm(info, args)
        return
    operands = [args[i] for i in positions if i < len(args) and isinstance(args[i], torch.Tensor)]
    first = operands[0].dtype
    for other in operands[1:]:
        if other.dtype != first:
            raise RuntimeError(
                f"expected all operands of {info.name} to have the same dtype, but got {first} and {other.dtype}"
            )
