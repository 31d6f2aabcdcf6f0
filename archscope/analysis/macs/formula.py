"""What a MAC formula is, and the shorthand the families share."""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import TypeAlias

from archscope.core.operators import Operator
from archscope.core.trace import OpRecord

Count: TypeAlias = Callable[[OpRecord, Operator], int]
"""A pure function of the shapes of the operands, whose names the operator knows."""


class UncountableError(Exception):
    """This call of an operation cannot be counted; the message is the reason."""


def count_outputs(op: OpRecord, operator: Operator) -> int:
    """Elements of the first output."""
    return prod(op.outputs[0].shape)


@dataclass(frozen=True, slots=True)
class Formula:
    """How one family of operators is counted."""

    count: Count
    """Multiply-accumulates. Raises UncountableError with the reason where the shapes do not tell."""
    activations: Count | None = None
    """Output elements of the convolution and linear layers that it stands for; None where it stands for none."""
    only_with_weight: bool = False
    """It is such a layer only where one factor, and not both, is a weight: other products are attention."""


def shape(op: OpRecord, *keys: str) -> tuple[int, ...]:
    """Shape of the first of the named operands that the operation has."""
    for key in keys:
        ref = op.operand(key)
        if ref is not None:
            return ref.shape
    raise UncountableError(f"operand {keys[0]} is not a plain tensor")


def output(op: OpRecord) -> tuple[int, ...]:
    """Shape of the first output."""
    if not op.outputs:
        raise UncountableError("the operation returned no tensor")
    return op.outputs[0].shape


def elements(sizes: tuple[int, ...]) -> int:
    """Number of elements of a shape."""
    return prod(sizes)


def integer(op: OpRecord, name: str) -> int:
    """An integer argument."""
    value = op.argument(name)
    if not isinstance(value, int):
        raise UncountableError(f"argument {name} is not known")
    return value
