"""Recurrent kernels: every time step of every sequence meets every weight matrix once.

An LSTM of width H on inputs of width I costs `T * B * 4 H (I + H)` a layer and direction, a GRU `3 H`, an Elman
network `H`; a projection to width P adds `T * B * H * P`, and the hidden weights are `(4 H, P)`.
"""

from archscope.analysis.macs.formula import Formula, UncountableError, elements, shape
from archscope.core.operators import Operator
from archscope.core.trace import OpRecord


def _weights(op: OpRecord) -> list[tuple[int, ...]]:
    keys = ("weight", "params")
    named = [ref.shape for ref in op.inputs if ref.spec.key.split(".")[0].rstrip("0123456789") in keys]
    matrices: list[tuple[int, ...]] = [sizes for sizes in named if len(sizes) == 2]
    if not matrices:
        raise UncountableError("the weights are packed into one buffer")
    return matrices


def _steps(op: OpRecord) -> int:
    """Time steps of all sequences: packed `(sum of lengths, I)`, else `(T, B, I)`."""
    return elements(shape(op, "input")[:-1])


def count_recurrent(op: OpRecord, operator: Operator) -> int:
    """`steps * sum(elements of the weight matrices)`."""
    return _steps(op) * sum(elements(sizes) for sizes in _weights(op))


def recurrent_outputs(op: OpRecord, operator: Operator) -> int:
    """Outputs of the matrix products at every step."""
    return _steps(op) * sum(sizes[0] for sizes in _weights(op))


FORMULAS: dict[str, Formula] = {"recurrent": Formula(count_recurrent, recurrent_outputs)}
