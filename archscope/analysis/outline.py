"""A trace as a person reads it: runs of identical layers folded, a chain layer by layer, a block where it branches.

Two layer calls are identical where their whole subtrees are: types, settings, output shapes, parameters, buffers,
MACs, and the paths of the layers beneath them, relative to the call.

A call is a block where two different values of the data meet inside it (a residual addition, a concatenation of
branches, a gate): its insides are no list that can be read from top to bottom. Whether values meet is judged by the
dataflow, never by names. The root is always opened, and so is a lone child that holds everything.
"""

import re
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

from archscope.core.cost import CostReport
from archscope.core.trace import LayerCall, OpRecord, Trace, name_relative

WIDEST_LIST = 24
"""Characters of names that are listed one by one; longer lists are written `first .. last`."""


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive siblings that are identical; a run of one is a layer that no neighbour equals."""

    calls: tuple[int, ...]
    """Ids of the layer calls, in execution order."""
    label: str
    """Their names relative to the parent: `1-7`, `query, key, value`, `0`."""


def sign_subtrees(trace: Trace, costs: CostReport, *, ops: bool = False) -> tuple[int, ...]:
    """By layer id: a number that is equal for two calls exactly where their subtrees are identical.

    With `ops`, their operations must be the same too.
    """
    children = trace.children
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


@dataclass(frozen=True, slots=True)
class OutlineItem:
    """One line of an outline."""

    layer: int
    """Id of the layer call; for an operation, of the call it ran in."""
    op: int | None = None
    """Index of an operation that ran in an opened call itself; None for a layer or a block."""
    block: bool = False
    """Whether it is a call that holds others and stays closed."""


@dataclass(frozen=True, slots=True)
class Outline:
    """The outline of one trace."""

    items: tuple[OutlineItem, ...]
    branches: bool
    """Whether data meets anywhere in the pass."""


class DataFlow:
    """The edges of a trace that carry data: what depends on the inputs, and not on parameters alone."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        inputs = {ref.value for ref in trace.inputs}
        self._sources: dict[int, list[tuple[int | None, int]]] = {}
        """By operation index: producer and value of each edge that carries data."""
        for edge in sorted(trace.edges, key=lambda edge: edge.consumer):
            if edge.value in inputs if edge.producer is None else edge.producer in self._sources:
                self._sources.setdefault(edge.consumer, []).append((edge.producer, edge.value))
        self._lineage: list[tuple[int, ...]] = []
        """By layer id: the calls around it and itself, outermost first."""
        for layer in trace.layers:
            above = self._lineage[layer.parent] if layer.parent is not None else ()
            self._lineage.append((*above, layer.id))

    def carries_data(self, op: int) -> bool:
        """Whether the operation depends on the model's inputs."""
        return op in self._sources

    def find_merge(self, call: int) -> bool:
        """Whether two values of the data meet in `call`, in an operation of its own or between its children."""
        layer = self.trace.layers[call]
        inner: dict[tuple[str, int], set[tuple[str, int]]] = {}
        outer: dict[tuple[str, int], set[int]] = {}
        for op in self.trace.list_ops(layer):
            node = self._find_node(op, call)
            for producer, value in self._sources.get(op.index, ()):
                if producer is None or not layer.first_op <= producer < layer.end_op:
                    outer.setdefault(node, set()).add(value)
                else:
                    inner.setdefault(node, set()).add(self._find_node(self.trace.ops[producer], call))
        return any(
            len(inner.get(node, set()) - {node}) + (len(outer.get(node, ())) if self._is_small(node) else 0) > 1
            for node in inner.keys() | outer.keys()
        )

    def _find_node(self, op: OpRecord, call: int) -> tuple[str, int]:
        """The child of `call` that the operation ran in, or the operation where it is the call's own."""
        lineage = self._lineage[op.layer]
        depth = len(self._lineage[call])
        return ("op", op.index) if len(lineage) == depth else ("call", lineage[depth])

    def _is_small(self, node: tuple[str, int]) -> bool:
        """Operations and leaf layers: what they read from outside is theirs to merge; a child may be given a mask."""
        kind, number = node
        return kind == "op" or self.trace.layers[number].leaf


def outline_trace(trace: Trace) -> Outline:
    """The outline of `trace`, which needs its operations and edges."""
    flow = DataFlow(trace)
    children = trace.children
    branching = {layer.id: flow.find_merge(layer.id) for layer in trace.layers if children[layer.id]}
    own: dict[int, list[int]] = {}
    for op in trace.ops:
        own.setdefault(op.layer, []).append(op.index)

    def open_call(call: int, *, forced: bool) -> Iterator[OutlineItem]:
        if not children[call]:
            yield OutlineItem(call)
        elif branching[call] and not forced:
            yield OutlineItem(call, block=True)
        else:
            alone = forced and len(children[call]) == 1
            parts = [(trace.layers[child].first_op, 0, child) for child in children[call]]
            parts += [(op, 1, op) for op in own.get(call, ())]
            for _, is_op, number in sorted(parts):
                if is_op:
                    yield OutlineItem(call, op=number)
                else:
                    yield from open_call(number, forced=alone)

    items = tuple(open_call(0, forced=True))
    if trace.root.leaf and not trace.root.settings:
        # A module that calls no other and is none of torch's own: its operations are all there is to read.
        items = tuple(OutlineItem(0, op=op.index) for op in trace.ops)
    return Outline(items, branches=any(branching.values()) or any(item.block for item in items))
