"""Fused transformer kernels, whose insides the dispatcher does not show: counted as the layers they stand for.

`src` and `query` are `(B, L, E)`; F is the width of the feed-forward layers.
"""

from archscope.analysis.macs.formula import Formula, UncountableError, elements, shape
from archscope.core.operators import Operator
from archscope.core.trace import OpRecord


def count_multi_head_attention(op: OpRecord, operator: Operator) -> int:
    """Projections of query, key and value, `Q K^T` and `A V`, output projection."""
    query, key, value = (_sequence(op, name) for name in ("query", "key", "value"))
    width = shape(op, "qkv_weight")[-1]
    projections = elements(shape(op, "qkv_weight")) // 3 * (_tokens(query) + _tokens(key) + _tokens(value))
    attention = query[0] * query[1] * key[1] * 2 * width
    return projections + attention + _tokens(query) * elements(shape(op, "proj_weight"))


def attention_outputs(op: OpRecord, operator: Operator) -> int:
    """Outputs of the four projections."""
    query, key, value = (_sequence(op, name) for name in ("query", "key", "value"))
    return (2 * _tokens(query) + _tokens(key) + _tokens(value)) * shape(op, "proj_weight")[0]


def count_encoder_layer(op: OpRecord, operator: Operator) -> int:
    """`B L (3 E^2 + 2 L E + E^2 + 2 E F)`."""
    source = _sequence(op, "src")
    weights = sum(elements(shape(op, name)) for name in _ENCODER_WEIGHTS)
    return _tokens(source) * (weights + 2 * source[1] * source[2])


def encoder_outputs(op: OpRecord, operator: Operator) -> int:
    """Outputs of the input and output projections and of the two feed-forward layers."""
    return _tokens(_sequence(op, "src")) * sum(shape(op, name)[0] for name in _ENCODER_WEIGHTS)


_ENCODER_WEIGHTS = ("qkv_weight", "proj_weight", "ffn_weight_1", "ffn_weight_2")


def _sequence(op: OpRecord, name: str) -> tuple[int, ...]:
    sizes = shape(op, name)
    if len(sizes) != 3:
        raise UncountableError("a nested tensor: the lengths are values, not shapes")
    return sizes


def _tokens(sizes: tuple[int, ...]) -> int:
    return sizes[0] * sizes[1]


FORMULAS: dict[str, Formula] = {
    "multi-head attention": Formula(count_multi_head_attention, attention_outputs),
    "encoder layer": Formula(count_encoder_layer, encoder_outputs),
}
