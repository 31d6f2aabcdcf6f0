"""A stranger's network under the names of ours: what a layer does and where it stands decide which is which.

Operations that papers list (convolutions, matrix products, pools, normalisations) are paired by what they do, by the
shapes they make and by how many layers with weights lie before them, so that neither names nor the order in which
branches run matter. A module is the counterpart of ours that runs the same operations. Everything else that is asked of
the network is read from its own trace.
"""

from bisect import bisect_right
from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

from archscope.analysis.costs import count_costs
from archscope.core.trace import LayerCall, OpRecord, StateTensor, Trace
from archscope.observation import Observed
from archscope.papers.measurement import MeasureError
from archscope.papers.networks import Net, classify_op, write_sum

WEIGHTED = ("conv", "fc")
FUNCTIONAL = ("pool", "avgpool")
"""Operations without parameters, which many call as functions where others have a layer."""
UNKNOWN = "~"
"""Before the path of a module that is nobody's counterpart."""


@dataclass(frozen=True, slots=True)
class Pair:
    """An operation of our network and its counterpart in theirs; None where one has none."""

    ours: OpRecord | None
    theirs: OpRecord | None


def pair_ops(ours: Trace, theirs: Trace) -> tuple[Pair, ...]:
    """Every listed operation of both, in the order of ours, then those that only theirs has."""
    left, right = _list_landmarks(ours), _list_landmarks(theirs)
    ours_by_depth, theirs_by_depth = (sorted(items, key=lambda item: item.depth) for items in (left, right))
    found: dict[int, Landmark] = {}
    taken: set[int] = set()
    for key in _KEYS:
        waiting: dict[Hashable, deque[Landmark]] = defaultdict(deque)
        for item in theirs_by_depth:
            if item.op.index not in taken:
                waiting[key(item)].append(item)
        for item in ours_by_depth:
            queue = waiting[key(item)]
            if item.op.index not in found and queue:
                found[item.op.index] = queue.popleft()
                taken.add(found[item.op.index].op.index)
    pairs = [Pair(item.op, found[item.op.index].op if item.op.index in found else None) for item in left]
    return (*pairs, *(Pair(None, item.op) for item in right if item.op.index not in taken))


@dataclass(frozen=True, slots=True)
class Landmark:
    """One listed operation."""

    op: OpRecord
    kind: str
    weight: tuple[int, ...]
    """Shape of what it multiplies by; of a normalisation that of the convolution before it; else empty."""
    output: tuple[int, ...]
    depth: int
    """Layers with weights on the longest way to it, itself included."""


_KEYS: tuple[Callable[[Landmark], Hashable], ...] = (
    lambda item: (item.kind, item.weight, item.output),
    lambda item: (item.kind, item.output, item.depth),
    lambda item: (item.kind, item.weight or item.op.index),
    lambda item: (item.kind, item.depth, item.weight != () or item.op.name),
    lambda item: (item.kind, item.weight != () or item.op.name),
)
"""By what two are paired, the surest first."""


def _list_landmarks(trace: Trace) -> list[Landmark]:
    sources: dict[int, list[int]] = defaultdict(list)
    for edge in trace.edges:
        if edge.producer is not None:
            sources[edge.consumer].append(edge.producer)
    depths: dict[int, int] = {}
    found = []
    for op in trace.ops:
        kind = classify_op(op)
        depths[op.index] = (kind in WEIGHTED) + max((depths[source] for source in sources[op.index]), default=0)
        if kind:
            found.append(describe_op(op, depths[op.index]))
        if kind == "norm":
            weights = [read_weight(trace.ops[source]) for source in sources[op.index]]
            found[-1] = replace(found[-1], weight=next(filter(None, weights), ()))
    return found


def describe_op(op: OpRecord, depth: int = 0) -> Landmark:
    """The operation; a convolution that reads the whole image is the fully connected layer that it is."""
    kind, weight, output = classify_op(op), read_weight(op), op.outputs[0].shape
    if kind == "conv" and _is_linear(op):
        return Landmark(op, "fc", (weight[0], prod(weight[1:])), output[:2], depth)
    return Landmark(op, kind, weight, output, depth)


def _is_linear(op: OpRecord) -> bool:
    """Whether a convolution reads all of its image at once, as a fully connected layer does."""
    weight, image = op.operand("weight"), op.operand("input")
    if weight is None or image is None or op.argument("groups") != 1:
        return False
    return weight.shape[2:] == image.shape[2:] and prod(op.outputs[0].shape[2:]) == 1


def read_weight(op: OpRecord) -> tuple[int, ...]:
    """Shape of a convolution's weight; (outputs, inputs) of a matrix product; empty for everything else."""
    match classify_op(op):
        case "conv":
            weight = op.operand("weight")
            return weight.shape if weight is not None else ()
        case "fc":
            widest = max((ref.shape for ref in op.inputs if len(ref.shape) > 1), key=len)
            return (op.outputs[0].shape[-1], widest[-1])
    return ()


class AlignedNet(Net):
    """Their trace, whose modules answer to the paths of their counterparts in our network."""

    def __init__(self, observed: Observed, reference: Net) -> None:
        trace = expose_functions(observed.trace)
        self.pairs = pair_ops(reference.trace, trace)
        self.own_paths = {layer.id: layer.path for layer in trace.layers}
        """Their own path of each layer call."""
        self.recast = any(describe_op(op).kind != classify_op(op) for op in trace.ops)
        """Whether it has fully connected layers in the form of convolutions."""
        self.incomplete = self.recast
        """Whether what was asked for is only a part of what ours has: a difference says nothing then."""
        self._reference = reference
        self._twins = {pair.ours.index: pair.theirs for pair in self.pairs if pair.ours and pair.theirs}
        counterparts = _find_counterparts(reference, trace, self._twins)
        named = _rename(trace, counterparts)
        super().__init__(replace(observed, trace=named, costs=count_costs(named)))
        self._layers |= {path: replace(named.layers[layer.id], path=path) for path, layer in counterparts.items()}

    def layer(self, path: str) -> LayerCall:
        """The counterpart of ours. Raises MeasureError where no module runs just that."""
        if path not in self._layers:
            raise MeasureError(f"no module of it runs just what {path} of {self._reference.trace.target} runs")
        return self._layers[path]

    def has(self, path: str) -> bool:
        """Whether it has a counterpart of that module. Raises MeasureError where ours has one and theirs shows none."""
        return self._reference.has(path) and bool(self.layer(path))

    def children(self, path: str = "") -> tuple[LayerCall, ...]:
        """The counterparts of what ours calls there, without those of which theirs has nothing, and what theirs adds.

        Raises MeasureError where theirs has the operations of one, but no module that runs just them.
        """
        found = []
        for child in self._reference.children(path):
            listed = {op.index for op in self._reference.ops(child.path) if classify_op(op)}
            if child.path in self._layers:
                found.append(self._layers[child.path])
            elif listed & self._twins.keys():
                self.layer(child.path)
            elif not listed and path:  # of the whole, activations and the like are told from what runs
                self.incomplete = True
        added = [child for child in self.trace.list_children(self.layer(path)) if self._is_added(child)]
        return tuple(sorted((*found, *added), key=lambda layer: layer.id))

    def _is_added(self, layer: LayerCall) -> bool:
        listed = {op.index for op in self.trace.list_ops(layer) if classify_op(op)}
        return bool(listed) and not listed & {op.index for op in self._twins.values()}

    def sum_params(self) -> str:
        """Over its own parts."""
        parts = self.trace.list_children(self.trace.root)
        return write_sum([part.params for part in parts], self.params())

    def sum_macs(self) -> str:
        """The same of MACs."""
        costs = self.observed.costs.layers
        return write_sum([costs[part.id].macs or 0 for part in self.trace.list_children(self.trace.root)], self.macs())


def _find_counterparts(reference: Net, trace: Trace, twins: Mapping[int, OpRecord]) -> dict[str, LayerCall]:
    """By path of ours: their call that runs the same operations, apart from those that only one of both has."""
    matched = {op.index for op in twins.values()}
    calls: dict[frozenset[int], list[LayerCall]] = defaultdict(list)
    for layer in trace.layers:
        calls[frozenset(op.index for op in trace.list_ops(layer) if op.index in matched)].append(layer)
    by_path = {layer.path: layer for layer in reversed(trace.layers)}
    found: dict[str, LayerCall] = {"": trace.root}
    for ours in reference.trace.layers[1:]:
        own = [op.index for op in reference.trace.list_ops(ours) if classify_op(op)]
        same = by_path.get(ours.path)
        if ours.path in found:
            continue
        if not own:
            if same is not None and same.type == ours.type:
                found[ours.path] = same
            continue
        mapped = frozenset(twins[index].index for index in own if index in twins)
        candidates = [call for call in calls[mapped] if call.id] if mapped else []
        chosen = _choose_call(ours, reference.trace, candidates, trace)
        if chosen is not None:
            found[ours.path] = chosen
    return found


def _choose_call(ours: LayerCall, own: Trace, calls: Sequence[LayerCall], trace: Trace) -> LayerCall | None:
    """Of nested calls that run the same: a leaf for a leaf, else the one that calls as many others."""
    if ours.leaf:
        return next((call for call in calls if call.leaf), None)
    count = len(own.list_children(ours))
    fitting = [call for call in calls if len(trace.list_children(call)) == count]
    return next(iter([*fitting, *calls]), None)


def _rename(trace: Trace, counterparts: dict[str, LayerCall]) -> Trace:
    labels = {layer.path: path for path, layer in sorted(counterparts.items(), key=lambda item: len(item[0]))}
    layers = tuple(replace(layer, path=_label(layer.path, labels)) for layer in trace.layers)
    return replace(trace, layers=layers, state=tuple(_rename_state(item, labels) for item in trace.state))


def _label(path: str, labels: dict[str, str]) -> str:
    return labels.get(path, f"{UNKNOWN}{path}" if path else "")


def _rename_state(item: StateTensor, labels: dict[str, str]) -> StateTensor:
    module, dot, name = item.path.rpartition(".")
    return replace(item, path=f"{_label(module, labels)}{dot}{name}")


def expose_functions(trace: Trace) -> Trace:
    """The trace with a layer call of its own for each pool that a module with children calls as a function."""
    layers = list(trace.layers)
    for op in trace.ops:
        owner = trace.layers[op.layer]
        if owner.leaf or classify_op(op) not in FUNCTIONAL:
            continue
        start = next(place for place, layer in enumerate(layers) if layer.id == owner.id)
        place = bisect_right([layer.first_op for layer in layers], op.index, lo=start + 1)
        name = f"{op.name.rpartition('.')[2]}@{op.index}"
        layers.insert(place, _make_call(op, owner, f"{owner.path}.{name}" if owner.path else name))
    if len(layers) == len(trace.layers):
        return trace
    numbers = {layer.id: place for place, layer in enumerate(layers) if layer.id >= 0}
    owners = {layer.first_op: place for place, layer in enumerate(layers) if layer.id < 0}
    renumbered = tuple(
        replace(layer, id=place, parent=None if layer.parent is None else numbers[layer.parent])
        for place, layer in enumerate(layers)
    )
    ops = tuple(replace(op, layer=owners.get(op.index, numbers[op.layer])) for op in trace.ops)
    return replace(trace, layers=renumbered, ops=ops)


def _make_call(op: OpRecord, owner: LayerCall, path: str) -> LayerCall:
    return LayerCall(
        id=-1,
        parent=owner.id,
        path=path,
        type=op.name.rpartition(".")[2],
        call=0,
        depth=owner.depth + 1,
        leaf=True,
        inputs=op.inputs[:1],
        outputs=op.outputs[:1],
        own_params=0,
        params=0,
        trainable_params=0,
        buffers=0,
        sources=op.sources,
        first_op=op.index,
        end_op=op.index + 1,
    )
