"""MAC formulas, one file per family of operations; the taxonomy of operators says which counts which.

One MAC is one multiply-add of a convolution, a matrix product or attention. Bias, normalisation, activation, pooling,
interpolation, element-wise arithmetic and data movement cost 0 by this convention. What multiplies and accumulates in
ways without an agreed count (Fourier transforms, matrix decompositions) is uncounted, with the reason. A MAC of complex
numbers is one MAC.
"""

from archscope.analysis.macs import attention, convolution, encoder, products, recurrent
from archscope.analysis.macs.formula import Formula, UncountableError
from archscope.core.cost import Cost
from archscope.core.operators import find_operator
from archscope.core.trace import OpRecord

FORMULAS: dict[str, Formula] = (
    convolution.FORMULAS | products.FORMULAS | attention.FORMULAS | encoder.FORMULAS | recurrent.FORMULAS
)
"""By the words of `Operator.formula`."""


def count_op(op: OpRecord) -> Cost:
    """The operation's MACs, or the reason why there is no count: an unknown operator is never silently 0."""
    operator = find_operator(op.name)
    if operator is None or operator.reason:
        return Cost(None, operator.reason if operator is not None else "no formula")
    if operator.free:
        return Cost(0)
    layouts = op.argument("layouts")
    if isinstance(layouts, tuple):
        return Cost(None, f"an operand is {' and '.join(map(str, layouts))}: the work depends on its values")
    try:
        return Cost(FORMULAS[operator.formula].count(op, operator))
    except UncountableError as error:
        return Cost(None, str(error))


__all__ = ["FORMULAS", "Formula", "UncountableError", "count_op"]
