"""Attention: `Q K^T` and `A V`. Masks and causality save no multiply-accumulates in the convention used here.

Queries are `(B, H, L, E)`, keys `(B, H_kv, S, E)`, values `(B, H_kv, S, E_v)`; with grouped queries each group of
heads shares a key head, so H counts. Flash and memory-efficient kernels take `(B, L, H, E)`.
"""

from archscope.analysis.macs.formula import Formula, UncountableError, elements, shape
from archscope.core.operators import Operator
from archscope.core.trace import OpRecord


def count_attention(op: OpRecord, operator: Operator) -> int:
    """`B * H * L * S * (E + E_v)`."""
    query, key, value = (shape(op, *names) for names in (_QUERY, _KEY, _VALUE))
    return elements(query[:-1]) * key[-2] * (query[-1] + value[-1])


def count_attention_backward(op: OpRecord, operator: Operator) -> int:
    """Scores recomputed, then the gradients of scores, V, Q and K: `B * H * L * S * (3 E + 2 E_v)`."""
    query, key, value = (shape(op, *names) for names in (_QUERY, _KEY, _VALUE))
    return elements(query[:-1]) * key[-2] * (3 * query[-1] + 2 * value[-1])


def count_sequence_first(op: OpRecord, operator: Operator) -> int:
    """The same for `(B, L, H, E)`."""
    query, key, value = _sequence_first(op)
    return elements(query[:-1]) * key[1] * (query[-1] + value[-1])


def count_sequence_first_backward(op: OpRecord, operator: Operator) -> int:
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

FORMULAS: dict[str, Formula] = {
    "attention": Formula(count_attention),
    "attention backward": Formula(count_attention_backward),
    "sequence-first attention": Formula(count_sequence_first),
    "sequence-first attention backward": Formula(count_sequence_first_backward),
}
