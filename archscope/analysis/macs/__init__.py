"""MAC formulas, one file per family of operations; every operation has a formula, is free by name, or has a reason.

One MAC is one multiply-add of a convolution, a matrix product or attention. Bias, normalisation, activation, pooling,
element-wise arithmetic, Fourier transforms and data movement cost 0 by this convention.
"""

from archscope.analysis.macs import attention, convolution, encoder, products, recurrent
from archscope.analysis.macs.formula import Formula, UncountableError
from archscope.analysis.macs.free import is_free
from archscope.analysis.macs.uncountable import REASONS
from archscope.core.cost import Cost
from archscope.core.trace import OpRecord

FORMULAS: dict[str, Formula] = (
    convolution.FORMULAS | products.FORMULAS | attention.FORMULAS | encoder.FORMULAS | recurrent.FORMULAS
)
"""Formulas by qualified operation name."""


def count_op(op: OpRecord) -> Cost:
    """The operation's MACs, or the reason why there is no count."""
    formula = FORMULAS.get(op.name)
    layouts = op.argument("layouts")
    if formula is not None and isinstance(layouts, tuple):
        return Cost(None, f"an operand is {' and '.join(map(str, layouts))}: the work depends on its values")
    if formula is not None:
        try:
            return Cost(formula.count(op))
        except UncountableError as error:
            return Cost(None, str(error))
    if op.name in REASONS:
        return Cost(None, REASONS[op.name])
    if is_free(op.name):
        return Cost(0)
    return Cost(None, "no formula")


__all__ = ["FORMULAS", "REASONS", "Formula", "UncountableError", "count_op", "is_free"]
