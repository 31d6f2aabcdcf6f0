"""A Trace and its costs go in; runs of identical sibling layers come out, so that a tree can say `1-7 x7`.

Two layer calls are identical where their whole subtrees are: types, settings, output shapes, parameters, buffers,
MACs, and the paths of the layers beneath them, relative to the call.
"""

import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from archscope.core.cost import CostReport
from archscope.core.trace import LayerCall, Trace

WIDEST_LIST = 24
"""Characters of names that are listed one by one; longer lists are written `first .. last`."""


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive siblings that are identical; a run of one is a layer that no neighbour equals."""

    calls: tuple[int, ...]
    """Ids of the layer calls, in execution order."""
    label: str
    """Their names relative to the parent: `1-7`, `query, key, value`, `0`."""


def list_children(trace: Trace) -> tuple[tuple[int, ...], ...]:
    """By layer id: the ids of the calls it made, in execution order."""
    children: list[list[int]] = [[] for _ in trace.layers]
    for layer in trace.layers:
        if layer.parent is not None:
            children[layer.parent].append(layer.id)
    return tuple(tuple(ids) for ids in children)


def name_relative(path: str, base: str) -> str:
    """`layer1.0` in `layer1` is `0`; a path elsewhere stays whole."""
    if not base:
        return path
    return path[len(base) + 1 :] if path.startswith(base + ".") else path


def sign_subtrees(trace: Trace, costs: CostReport, *, ops: bool = False) -> tuple[int, ...]:
    """By layer id: a number that is equal for two calls exactly where their subtrees are identical.

    With `ops`, their operations must be the same too.
    """
    children = list_children(trace)
    own_ops: list[list[Hashable]] = [[] for _ in trace.layers]
    for op in trace.ops if ops else ():
        own_ops[op.layer].append((op.name, tuple(ref.shape for ref in op.outputs)))
    numbers: dict[Hashable, int] = {}
    signatures = [0] * len(trace.layers)
    failed = trace.failure.layer if trace.failure else None
    for layer in reversed(trace.layers):
        beneath = tuple(
            (name_relative(trace.layers[child].path, layer.path), signatures[child]) for child in children[layer.id]
        )
        cost = costs.layers[layer.id]
        key = (
            layer.id == failed,
            _describe_call(layer),
            (cost.macs, cost.own_macs),
            tuple(own_ops[layer.id]),
            beneath,
        )
        signatures[layer.id] = numbers.setdefault(key, len(numbers))
    return tuple(signatures)


def fold_siblings(trace: Trace, signatures: Sequence[int], siblings: Sequence[int]) -> tuple[Run, ...]:
    """The runs of `siblings` (consecutive calls made by one parent, in execution order)."""
    runs: list[list[int]] = []
    for call in siblings:
        if runs and signatures[runs[-1][0]] == signatures[call]:
            runs[-1].append(call)
        else:
            runs.append([call])
    return tuple(Run(tuple(calls), _label_run(trace, calls)) for calls in runs)


def _describe_call(layer: LayerCall) -> Hashable:
    outputs = tuple((ref.spec.shape, ref.spec.dtype) for ref in layer.outputs)
    numbers = (layer.params, layer.own_params, layer.trainable_params, layer.buffers)
    return layer.type, layer.settings, outputs, numbers, layer.call > 0, bool(layer.shared_with)


def _label_run(trace: Trace, calls: Sequence[int]) -> str:
    parent = trace.layers[calls[0]].parent
    base = trace.layers[parent].path if parent is not None else ""
    names = list(dict.fromkeys(name_relative(trace.layers[call].path, base) for call in calls))
    if len(names) == 1:
        return names[0]
    counted = _label_counting(names)
    if counted:
        return counted
    listed = ", ".join(names)
    return listed if len(listed) <= WIDEST_LIST else f"{names[0]} .. {names[-1]}"


def _label_counting(names: Sequence[str]) -> str:
    """`block3-5` where the names count upwards by one; empty where they do not."""
    matches = [re.fullmatch(r"(.*?)(0|[1-9][0-9]*)", name) for name in names]
    pairs = [(match[1], int(match[2])) for match in matches if match]
    first = pairs[0] if pairs else ("", 0)
    if len(pairs) < len(names) or pairs != [(first[0], first[1] + step) for step in range(len(names))]:
        return ""
    return f"{first[0]}{first[1]}-{first[1] + len(names) - 1}"
