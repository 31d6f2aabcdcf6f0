"""A tiny evaluator for the arithmetic that explanations print."""

import ast
import operator
import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from math import ceil, floor

import pytest

OPERATORS: dict[type, Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
EQUATION = re.compile(r"((?:floor|ceil|[0-9(])[0-9 .+*/()floreci-]*?)\s+= ([0-9][0-9,.]*)")


def evaluate_arithmetic(text: str) -> Fraction:
    """The value of whole numbers, + - * / ( ), floor and ceil; anything else raises ValueError."""
    return _evaluate(ast.parse(text, mode="eval").body)


def _evaluate(node: ast.expr) -> Fraction:
    if isinstance(node, ast.Constant) and isinstance(node.value, int) and not isinstance(node.value, bool):
        return Fraction(node.value)
    if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        return OPERATORS[type(node.op)](_evaluate(node.left), _evaluate(node.right))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and len(node.args) == 1 and not node.keywords:
        return Fraction({"floor": floor, "ceil": ceil}[node.func.id](_evaluate(node.args[0])))
    raise ValueError(f"not arithmetic: {ast.dump(node)}")


def list_equations(text: str) -> Iterator[tuple[str, Fraction]]:
    """Every `EXPRESSION = NUMBER` that stands in a text."""
    for expression, number in EQUATION.findall(text):
        yield expression.strip(), Fraction(number.replace(",", "").rstrip("."))


@pytest.fixture(scope="session")
def evaluate() -> Callable[[str], Fraction]:
    return evaluate_arithmetic


@pytest.fixture(scope="session")
def equations() -> Callable[[str], Iterator[tuple[str, Fraction]]]:
    return list_equations
