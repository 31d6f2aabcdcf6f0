"""Every difference between our trace and a tool's count with its cause, so that they add up to the whole."""

from collections import Counter
from collections.abc import Callable, Iterable
from math import prod

from archscope.analysis.costs import find_weights
from archscope.core.operators import find_kind
from archscope.core.trace import LayerCall, Trace
from archscope.counters.tool_count import Difference, RawCount
from archscope.observation import Observed

PER_ELEMENT = {
    "batch_norm": "2 for each value of batch normalisation in eval (5 in training)",
    "layer_norm": "5 for each value of layer normalisation, a rough estimate",
    "group_norm": "5 for each value of group normalisation, a rough estimate",
    "instance_norm": "5 for each value of instance normalisation, a rough estimate",
    "adaptive_avg_pool2d": "1 for each value that adaptive average pooling reads",
    "upsample_nearest2d": "1 for each value that nearest upsampling makes",
    "upsample_bilinear2d": "4 for each value that bilinear upsampling makes",
    "grid_sampler": "4 for each value that grid sampling makes",
}
"""What fvcore adds for operations that are no products (its `_DEFAULT_SUPPORTED_OPS`)."""

RECURRENT = ("lstm", "gru", "rnn")
OWN = {"convolution": "convolution", "product": "matrix product"}
"""Kinds that both sides know by one name."""


def explain_params(trace: Trace, theirs: int) -> tuple[Difference, ...]:
    """Theirs minus ours, of parameters."""
    gap = theirs - trace.totals.params
    if not gap:
        return ()
    silent = sum(
        prod(item.shape)
        for item in trace.state
        if item.kind == "parameter" and item.path.rpartition(".")[0] in trace.never_called
    )
    if gap == -silent:
        return (Difference(gap, f"modules that forward never calls are left out: {_list(trace.never_called)}"),)
    return _explain_loose_params(trace, gap)


def _explain_loose_params(trace: Trace, gap: int) -> tuple[Difference, ...]:
    """Parameters that are held by modules with children, or by several modules."""
    loose = sum(layer.own_params for layer in trace.layers if not layer.leaf and layer.call == 0)
    shared = sorted({layer.path for layer in trace.layers if layer.shared_with})
    if gap == -loose:
        return (Difference(gap, "parameters held by modules that call others are left out"),)
    if shared and gap > 0:
        return (Difference(gap, f"shared parameters are counted for each module that holds them: {_list(shared)}"),)
    return (Difference(gap, "unknown", explained=False),)


def _list(names: Iterable[str], most: int = 4) -> str:
    listed = list(names)
    more = len(listed) - most
    return ", ".join(listed[:most]) + (f" and {more} more" if more > 0 else "")


def explain_kinds(observed: Observed, count: RawCount, knows: Callable[[str], bool] | None) -> tuple[Difference, ...]:
    """By kind of operation; `knows` says which of our operations the tool has a formula for, None: by `unsupported`."""
    ours = _count_kinds(observed)
    found = [_explain_estimate(kind, macs) for kind, macs in count.by_kind.items() if kind.startswith("estimate ")]
    theirs = {kind: macs for kind, macs in count.by_kind.items() if not kind.startswith("estimate ")}
    missing = _list_missing(observed, count, knows)
    lost = sum(macs for macs, _ in missing.values())
    gap = sum(theirs.values()) - sum(ours.values())
    if gap and gap == -lost:
        found += [
            Difference(-macs, f"no formula for {name} ({calls} {'call' if calls == 1 else 'calls'})")
            for name, (macs, calls) in missing.items()
        ]
    elif gap:
        found += _explain_fused(observed, count, gap) or _explain_by_kind(ours, theirs)
    return tuple(item for item in found if item.macs)


def _explain_estimate(kind: str, macs: int) -> Difference:
    name = kind.removeprefix("estimate ")
    reason = PER_ELEMENT.get(name)
    return Difference(macs, f"it adds {reason}" if reason else f"it counts {name}", explained=reason is not None)


def _count_kinds(observed: Observed) -> dict[str, int]:
    kinds: dict[str, int] = {}
    for op, cost in zip(observed.trace.ops, observed.costs.ops, strict=True):
        if cost.macs:
            kind = find_kind(op.name) or "other"
            kinds[kind] = kinds.get(kind, 0) + cost.macs
    return kinds


def _list_missing(
    observed: Observed, count: RawCount, knows: Callable[[str], bool] | None
) -> dict[str, tuple[int, int]]:
    """MACs and calls of our costly operations that the tool has no formula for."""
    unsupported = {name.rpartition("::")[2].strip("_") for name in count.unsupported}
    missing: dict[str, tuple[int, int]] = {}
    for op, cost in zip(observed.trace.ops, observed.costs.ops, strict=True):
        short = op.name.rpartition(".")[2].strip("_")
        unknown = short in unsupported if knows is None else not knows(op.name)
        if cost.macs and unknown:
            macs, calls = missing.get(op.name, (0, 0))
            missing[op.name] = (macs + cost.macs, calls + 1)
    return missing


def _explain_fused(observed: Observed, count: RawCount, gap: int) -> list[Difference]:
    """What the tool met as one operation without a formula, and we as products of its parts."""
    attention = [name for name in count.unsupported if "attention" in name]
    recurrent = [name for name in count.unsupported if name.rpartition("::")[2].partition("_")[0] in RECURRENT]
    inner = _sum_attention(observed) if attention else 0
    inner += _sum_recurrent(observed) if recurrent else 0
    return [Difference(gap, f"no formula for {_list(attention + recurrent)}")] if inner and gap == -inner else []


def _sum_attention(observed: Observed) -> int:
    """MACs of products of two activations."""
    weights, total = find_weights(observed.trace), 0
    for op, cost in zip(observed.trace.ops, observed.costs.ops, strict=True):
        if cost.macs and find_kind(op.name) in ("product", "attention"):
            total += 0 if any(ref.value in weights for ref in op.inputs) else cost.macs
    return total


def _sum_recurrent(observed: Observed) -> int:
    """MACs of recurrent layers."""
    layers, costs = observed.trace.layers, observed.costs.layers
    return sum(costs[layer.id].macs or 0 for layer in layers if layer.type.partition("Cell")[0].lower() in RECURRENT)


def _explain_by_kind(ours: dict[str, int], theirs: dict[str, int]) -> list[Difference]:
    """What is left, by kind."""
    gaps = {kind: theirs.get(kind, 0) - ours.get(kind, 0) for kind in sorted(ours.keys() | theirs.keys())}
    return [Difference(gap, f"{OWN.get(kind, kind)}: unknown", explained=False) for kind, gap in gaps.items() if gap]


def explain_layers(observed: Observed, count: RawCount) -> tuple[Difference, ...]:
    """By layer, for torchinfo's rule: parameters times outputs."""
    calls: dict[str, list[LayerCall]] = {}
    for layer in observed.trace.layers:
        calls.setdefault(layer.path, []).append(layer)
    causes: Counter[str] = Counter()
    for path in calls.keys() | count.by_layer.keys():
        theirs = count.by_layer.get(path, 0)
        ours = sum(observed.costs.layers[layer.id].own_macs or 0 for layer in calls.get(path, ()))
        if theirs != ours:
            causes.update(_explain_layer(observed.trace, calls.get(path, []), theirs, ours))
    listed = sorted(causes.items(), key=lambda item: -abs(item[1]))
    return tuple(Difference(macs, cause, "unknown" not in cause) for cause, macs in listed if macs)


def _explain_layer(trace: Trace, calls: list[LayerCall], theirs: int, ours: int) -> dict[str, int]:
    """The parts of one layer's difference by cause."""
    if not calls:
        return {"layers that our trace did not see: unknown": theirs}
    layer, gap = calls[0], theirs - ours
    if not theirs:
        return {f"{_name_outside(layer)} is left out: only weights and biases of leaf layers count": gap}
    weight, bias = (_measure_parameter(trace, f"{layer.path}.{name}".lstrip(".")) for name in ("weight", "bias"))
    if not ours:
        kind = "normalisation" if "Norm" in layer.type else layer.type
        return {f"weights and biases of {kind} count, times the batch": gap}
    biased = sum(bias * _count_outputs(call) for call in calls)
    if "Conv" in layer.type:
        return _explain_convolution(layer, gap, biased, sum(weight * _count_outputs(call) for call in calls) - ours)
    if layer.type.lower() in RECURRENT:
        return _explain_recurrent(trace, calls, gap)
    first = sum(weight * call.outputs[0].shape[0] for call in calls if call.outputs)
    parts = {"biases of linear layers count, times the first dimension": biased}
    if theirs == first + biased:
        parts["a weight is multiplied by the first output dimension only, not by every token"] = first - ours
    elif gap != biased:
        parts[f"{layer.type}: unknown"] = gap - biased
    return parts


def _explain_convolution(layer: LayerCall, gap: int, biased: int, spread: int) -> dict[str, int]:
    """`spread` is what a transposed convolution's weight gains by counting it at outputs instead of inputs."""
    parts = {"biases of convolutions count, once per output": biased}
    if gap == biased:
        return parts
    transposed = "Transpose" in layer.type and gap == biased + spread
    cause = "a weight of a transposed convolution is multiplied by output positions, not by those of its input"
    return parts | {cause if transposed else f"{layer.type}: unknown": gap - biased}


def _explain_recurrent(trace: Trace, calls: list[LayerCall], gap: int) -> dict[str, int]:
    """It multiplies every weight and bias by the first two dimensions of the output."""
    prefix = f"{calls[0].path}.bias"
    biases = sum(prod(item.shape) for item in trace.state if item.path.startswith(prefix.lstrip(".")))
    biased = sum(biases * prod(call.outputs[0].shape[:2]) for call in calls if call.outputs)
    cause = f"biases of {calls[0].type} count, once per step" if gap == biased else f"{calls[0].type}: unknown"
    return {cause: gap}


def _measure_parameter(trace: Trace, path: str) -> int:
    return next((prod(item.shape) for item in trace.state if item.path == path), 0)


def _count_outputs(call: LayerCall) -> int:
    """What torchinfo multiplies a parameter by: batch and positions of a convolution, else the first dimension."""
    if not call.outputs:
        return 0
    shape = call.outputs[0].shape
    return prod((*shape[:1], *shape[2:])) if "Conv" in call.type else shape[0]


def _name_outside(layer: LayerCall) -> str:
    return layer.type if layer.path else "what forward itself multiplies"
