"""A Trace goes in; its outline comes out: the layers of a chain one by one, a block wherever the dataflow branches.

A call is a block where two different values of the data meet inside it (a residual addition, a concatenation of
branches, a gate): its insides are no list that can be read from top to bottom. Whether values meet is judged by the
dataflow, never by names. The root is always opened, and so is a lone child that holds everything.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from archscope.analysis.folding import list_children
from archscope.core.trace import OpRecord, Trace


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
        for op in self.trace.ops[layer.first_op : layer.end_op]:
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
    children = list_children(trace)
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
