"""The cost of every operation, every layer call and the whole pass of a trace."""

from contextlib import suppress

from archscope.analysis.macs import FORMULAS, UncountableError, count_op
from archscope.analysis.macs.complex import COMPLEX_NOTE, find_shadow_convolutions, uses_complex
from archscope.core.cost import Cost, CostReport, LayerCost, Uncounted
from archscope.core.operators import Operator, find_operator
from archscope.core.trace import OpRecord, Trace


def count_costs(trace: Trace) -> CostReport:
    """MACs by operation and by layer call, activations, and what could not be counted, with reasons."""
    shadows = find_shadow_convolutions(trace.ops)
    ops = tuple(Cost(0) if op.index in shadows else count_op(op) for op in trace.ops)
    known = sum(cost.macs for cost in ops if cost.macs is not None)
    complete = all(cost.macs is not None for cost in ops)
    return CostReport(
        ops=ops,
        layers=_count_layers(trace, ops),
        macs=known if complete else None,
        counted_macs=known,
        activations=_count_activations(trace, shadows),
        uncounted=_list_uncounted(trace, ops),
    )


def explain_counts(trace: Trace, costs: CostReport) -> tuple[str, ...]:
    """What a reader of the counts must know of this trace besides the convention."""
    counted = (op for op, cost in zip(trace.ops, costs.ops, strict=True) if cost.macs)
    shadows = find_shadow_convolutions(trace.ops)
    return (COMPLEX_NOTE,) if shadows or any(map(uses_complex, counted)) else ()


def _count_layers(trace: Trace, ops: tuple[Cost, ...]) -> tuple[LayerCost, ...]:
    own: list[int | None] = [0] * len(trace.layers)
    for op, cost in zip(trace.ops, ops, strict=True):
        own[op.layer] = _add(own[op.layer], cost.macs)
    whole = list(own)
    for layer in reversed(trace.layers):
        if layer.parent is not None:
            whole[layer.parent] = _add(whole[layer.parent], whole[layer.id])
    return tuple(LayerCost(inclusive, exclusive) for inclusive, exclusive in zip(whole, own, strict=True))


def _add(total: int | None, part: int | None) -> int | None:
    return None if total is None or part is None else total + part


def _list_uncounted(trace: Trace, ops: tuple[Cost, ...]) -> tuple[Uncounted, ...]:
    found: dict[tuple[str, str], list[OpRecord]] = {}
    for op, cost in zip(trace.ops, ops, strict=True):
        if cost.macs is None:
            found.setdefault((op.name, cost.reason), []).append(op)
    return tuple(
        Uncounted(name, tuple(sorted({op.layer for op in records})), len(records), reason)
        for (name, reason), records in found.items()
    )


def _count_activations(trace: Trace, shadows: frozenset[int]) -> int:
    """Output elements of convolutions and of products with a weight; products of two activations are attention."""
    weights = find_weights(trace)
    total = 0
    for op in trace.ops:
        operator = find_operator(op.name)
        formula = FORMULAS.get(operator.formula) if operator is not None else None
        if operator is None or formula is None or formula.activations is None or not op.outputs:
            continue
        if op.index in shadows:
            continue
        if not formula.only_with_weight or _has_weight(op, operator, weights):
            with suppress(UncountableError):  # the operation is listed as uncounted
                total += formula.activations(op, operator)
    return total


def _has_weight(op: OpRecord, operator: Operator, weights: set[int]) -> bool:
    factors = (*operator.data, *operator.weight)
    operands = [ref.value in weights for ref in op.inputs if ref.spec.key in factors]
    return any(operands) and not all(operands)


def find_weights(trace: Trace) -> set[int]:
    """Numbers of the values that are parameters or buffers or were computed from such alone."""
    weights = {tensor.value for tensor in trace.state}
    for op in trace.ops:
        if op.inputs and all(ref.value in weights for ref in op.inputs):
            weights.update(ref.value for ref in op.outputs)
    return weights
