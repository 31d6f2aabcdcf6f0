"""The one taxonomy of operators: what each is, which of its operands matter, and how every analysis reads it.

Registering one operator with its kind and the names of its operands is enough for MACs, activations, explanations,
receptive fields, the lecture's rows, views and the dtype check to know it.
"""

from archscope.core.operators import free, rows, uncountable
from archscope.core.operators.taxonomy import (
    OPERATORS,
    Kind,
    Operator,
    find_kind,
    find_operator,
    register_all,
    register_operator,
)

__all__ = [
    "OPERATORS",
    "Kind",
    "Operator",
    "find_kind",
    "find_operator",
    "free",
    "register_all",
    "register_operator",
    "rows",
    "uncountable",
]
