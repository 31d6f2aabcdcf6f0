"""Convolutions. A weight is `(C_out, C_in / groups, *kernel)`, of a transposed one `(C_in, C_out / groups, *kernel)`.

Every output element of a convolution sums over `C_in / groups * prod(kernel)` products; padding is counted, as in the
papers. A transposed convolution spreads every *input* element over `C_out / groups * prod(kernel)` outputs.
"""

from archscope.analysis.macs.formula import Formula, count_outputs, elements, output, shape
from archscope.core.operators import Operator
from archscope.core.trace import OpRecord


def count_convolution(op: OpRecord, operator: Operator) -> int:
    """`elements(output) * prod(weight.shape[1:])`, or with the input's elements where it is transposed."""
    transposed = operator.transposed or op.argument("transposed") is True
    sizes = shape(op, *operator.data) if transposed else output(op)
    return elements(sizes) * elements(shape(op, *operator.weight)[1:])


def count_tbc(op: OpRecord, operator: Operator) -> int:
    """Time-batch-channel convolution, weight `(kernel, C_in, C_out)`: `elements(output) * kernel * C_in`."""
    kernel, channels, _ = shape(op, *operator.weight)
    return elements(output(op)) * kernel * channels


def count_backward(op: OpRecord, operator: Operator) -> int:
    """The gradients of input and weight each cost as much as the forward pass; the bias none."""
    weight = shape(op, "weight")
    sizes = shape(op, "input", "self") if op.argument("transposed") is True else shape(op, "grad_output")
    mask = op.argument("output_mask", (True, True, True))
    wanted = sum(bool(flag) for flag in mask[:2]) if isinstance(mask, tuple) else 2
    return wanted * elements(sizes) * elements(weight[1:])


FORMULAS: dict[str, Formula] = {
    "convolution": Formula(count_convolution, count_outputs),
    "time-batch-channel convolution": Formula(count_tbc, count_outputs),
    "convolution backward": Formula(count_backward),
}
