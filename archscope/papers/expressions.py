"""Arithmetic in texts: what sources print (`stride != 1 or ...`) and what explanations compute (`{value / 1024:.2f}`).

Numbers are exact: whole numbers divide into fractions. Nothing but arithmetic, comparisons and the given names is read.
"""

import ast
import operator
from collections.abc import Callable, Mapping
from fractions import Fraction
from math import ceil, floor, sqrt
from string import Formatter
from typing import Any, TypeAlias

Names: TypeAlias = Mapping[str, Any]

_OPERATORS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_FUNCTIONS: dict[str, Callable[[Any], Any]] = {"sqrt": sqrt, "floor": floor, "ceil": ceil, "abs": abs}


def evaluate(text: str, names: Names) -> Any:
    """The value of an expression. Raises ValueError where it is none, LookupError for a name that is not given."""
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except SyntaxError as error:
        raise ValueError(f"{text!r} is no expression: {error.msg}") from error
    return _evaluate(tree.body, names)


def _evaluate(node: ast.expr, names: Names) -> Any:
    match node:
        case ast.BinOp(left, ast.Div(), right):
            return _divide(_evaluate(left, names), _evaluate(right, names))
        case ast.BinOp(left, kind, right) | ast.Compare(left, [kind], [right]) if type(kind) in _OPERATORS:
            return _OPERATORS[type(kind)](_evaluate(left, names), _evaluate(right, names))
        case ast.UnaryOp(ast.USub(), operand):
            return -_evaluate(operand, names)
        case ast.BoolOp(kind, parts):
            join = all if isinstance(kind, ast.And) else any
            return join(_evaluate(part, names) for part in parts)
        case ast.Call(ast.Name(name), [argument]) if name in _FUNCTIONS:
            return _FUNCTIONS[name](_evaluate(argument, names))
    return _look_up(node, names)


def _look_up(node: ast.expr, names: Names) -> Any:
    """What stands for itself, or for something that is given."""
    match node:
        case ast.Constant(int() | str() as value):
            return value
        case ast.Constant(float(value)):
            return Fraction(str(value))
        case ast.Name(name):
            return names[name]
        case ast.Subscript(thing, index):
            return _evaluate(thing, names)[_evaluate(index, names)]
    raise ValueError(f"{ast.unparse(node)} is no arithmetic")


def _divide(left: Any, right: Any) -> Any:
    return left / right if isinstance(left, float) or isinstance(right, float) else Fraction(left) / right


class _Filler(Formatter):
    """`{expression:format}`; fractions are written as the whole numbers that they are, or as decimals."""

    def get_field(self, field_name: str, args: Any, kwargs: Any) -> tuple[Any, str]:
        value = evaluate(field_name, kwargs)
        if isinstance(value, Fraction):
            value = int(value) if value.denominator == 1 else float(value)
        return value, field_name


def fill_text(template: str, names: Names) -> str:
    """`template` with its expressions computed. Raises ValueError, LookupError, ArithmeticError."""
    return _Filler().vformat(template, (), names)
