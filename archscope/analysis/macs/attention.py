"""Attention: `Q K^T` and `A V`. Masks and causality save no multiply-accumulates in the convention used here.

Queries are `(B, H, L, E)`, keys `(B, H_kv, S, E)`, values `(B, H_kv, S, E_v)`; with grouped queries each group of
heads shares a key head, so H counts. Flash and memory-efficient kernels take `(B, L, H, E)`.
"""

from archscope.analysis.macs.formula import Formula, UncountableError, elements, shape
from archscope.core.trace import OpRecord


def count_attention(op: OpRecord) -> int:
    """`B * H * L * S * (E + E_v)`."""
    query, key, value = (shape(op, *names) for names in (_QUERY, _KEY, _VALUE))
    return elements(query[:-1]) * key[-2] * (query[-1] + value[-1])


def count_attention_backward(op: OpRecord) -> int:
    """Scores recomputed, then the gradients of scores, V, Q and K: `B * H * L * S * (3 E + 2 E_v)`."""
    query, key, value = (shape(op, *names) for names in (_QUERY, _KEY, _VALUE))
    return elements(query[:-1]) * key[-2] * (3 * query[-1] + 2 * value[-1])


def count_sequence_first(op: OpRecord) -> int:
    """The same for `(B, L, H, E)`."""
    query, key, value = _sequence_first(op)
    return elements(query[:-1]) * key[1] * (query[-1] + value[-1])


def count_sequence_first_backward(op: OpRecord) -> int:
    """The same backward for `(B, L, H, E)`."""
    query, key, value = _sequence_first(op)
    return elements(query[:-1]) * key[1] * (3 * query[-1] + 2 * value[-1])


def _sequence_first(op: OpRecord) -> tuple[tuple[int, ...], ...]:
    if any(op.operand(name) for name in ("cum_seq_q", "cu_seqlens_q")):
        raise UncountableError("packed sequences: the lengths are values, not shapes")
    shapes = tuple(shape(op, name) for name in ("query", "key", "value"))
    if any(len(sizes) != 4 for sizes in shapes):
        raise UncountableError("packed sequences: the lengths are values, not shapes")
    return shapes


_QUERY = ("query", "q", "args.0")
_KEY = ("key", "k", "args.1")
_VALUE = ("value", "v", "args.2")
_FUSED = (
    "flash_attention", "efficient_attention", "cudnn_attention", "flash_attention_for_cpu",
    "fused_attention_overrideable",
)  # fmt: skip
_SEQUENCE_FIRST = ("_flash_attention", "_efficient_attention", "_cudnn_attention")

FORMULAS: dict[str, Formula] = {
    f"aten._scaled_dot_product_{name}": Formula(count_attention, "attention") for name in _FUSED
}
FORMULAS |= {
    f"aten._scaled_dot_product_{name}_backward": Formula(count_attention_backward, "attention") for name in _FUSED
}
FORMULAS |= {f"aten.{name}_forward": Formula(count_sequence_first, "attention") for name in _SEQUENCE_FIRST}
FORMULAS |= {f"aten.{name}_backward": Formula(count_sequence_first_backward, "attention") for name in _SEQUENCE_FIRST}
FORMULAS |= {
    "aten._flash_attention_forward_no_dropout_inplace": Formula(count_sequence_first, "attention"),
    "aten.scaled_dot_product_attention": Formula(count_attention, "attention"),
    "aten._scaled_dot_product_attention_math_for_mps": Formula(count_attention, "attention"),
    "aten._triton_scaled_dot_attention": Formula(count_attention, "attention"),
    "flex_attention": Formula(count_attention, "attention"),
    "flex_attention_backward": Formula(count_attention_backward, "attention"),
}
