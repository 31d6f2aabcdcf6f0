"""What a MAC formula is, and the shorthand the families share."""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Literal

from archscope.core.trace import OpRecord

Kind = Literal["convolution", "product", "attention", "recurrent", "encoder", "other"]


class UncountableError(Exception):
    """This call of an operation cannot be counted; the message is the reason."""


@dataclass(frozen=True, slots=True)
class Formula:
    """Multiply-accumulates of one operation, as a pure function of its operands' shapes."""

    count: Callable[[OpRecord], int]
    """Raises UncountableError with the reason where the shapes do not tell."""
    kind: Kind
    layer_outputs: Callable[[OpRecord], int] | None = None
    """Output elements of the convolution and linear layers inside, for the activation count; None where the rule of
    the kind holds: all outputs of a convolution, those of a product that has a weight as an operand."""


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
