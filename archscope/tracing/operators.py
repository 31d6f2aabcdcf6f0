"""What the schema of an operator overload says, and operands whose dtypes do not fit."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import torch


@dataclass(frozen=True, slots=True)
class OperatorInfo:
    """What the tracer must know of one operator overload, read from its schema once."""

    name: str
    """Qualified name without the overload: `aten.convolution`."""
    overload: str
    argument_names: tuple[str, ...]
    mutated: tuple[str, ...]
    """Names of the arguments it writes to."""
    takes_device: bool
    """True for factories and conversions, which have an argument `device`."""
    random: bool
    """True where two runs may differ."""
    value_free: bool
    """True where the output depends on its input's shape and dtype alone (`zeros_like`)."""


_VALUE_FREE = frozenset({"new_zeros", "new_ones", "new_full", "zeros_like", "ones_like", "full_like"})


@cache
def describe_operator(operator: Any) -> OperatorInfo:
    """The operator's description; operators without a schema (higher-order ones) have no argument names."""
    schema = getattr(operator, "_schema", None)
    if schema is None:
        return OperatorInfo(str(getattr(operator, "__name__", operator)), "default", (), (), False, False, False)
    namespace, _, base = schema.name.partition("::")
    arguments = schema.arguments
    names = tuple(argument.name for argument in arguments)
    mutated = tuple(
        argument.name for argument in arguments if argument.alias_info is not None and argument.alias_info.is_write
    )
    return OperatorInfo(
        name=f"{namespace}.{base}",
        overload=schema.overload_name or "default",
        argument_names=names,
        mutated=mutated,
        takes_device="device" in names,
        random=torch.Tag.nondeterministic_seeded in operator.tags or base.startswith("empty"),
        value_free=base in _VALUE_FREE,
    )


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
