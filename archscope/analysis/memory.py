"""What a pass needs in bytes, the layer that decides, and the largest batch that fits.

Two ways lead to a peak: a model that is at hand runs on fake tensors (`archscope.memory`), a saved trace is
read here, by the lifetimes of the storages that its operations make.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from archscope.core.errors import UnknownNameError
from archscope.core.operators import find_operator
from archscope.core.trace import OpRecord, Trace

Phase = Literal["forward", "backward", "optimizer"]

MOST_BATCH = 2**24
"""Where the search for a larger batch ends."""


@dataclass(frozen=True, slots=True)
class OptimizerMemory:
    """What an optimizer keeps and needs, in multiples of the gradients' bytes; without weight decay."""

    state: int
    """Kept from step to step: momenta and second moments. Step counters, a number per tensor, are left out."""
    temporary: int
    """Made and freed again within a step, as the multi-tensor (`foreach`) implementation of CUDA does."""


OPTIMIZERS: dict[str, OptimizerMemory] = {
    "sgd": OptimizerMemory(state=0, temporary=0),
    "momentum": OptimizerMemory(state=1, temporary=0),
    "adam": OptimizerMemory(state=2, temporary=1),
    "adamw": OptimizerMemory(state=2, temporary=1),
}
"""By the words of `--optimizer`."""


@dataclass(frozen=True, slots=True)
class LayerMemory:
    """What one module's own operations leave saved for the backward pass."""

    path: str
    type: str
    saved_bytes: int
    """Storages that autograd saved first here; one that several layers save counts for the first."""


@dataclass(frozen=True, slots=True)
class Peak:
    """The moment of most memory."""

    live_bytes: int
    path: str
    """Path of the innermost module whose operation ran; empty for the root."""
    type: str
    phase: Phase = "forward"


@dataclass(frozen=True, slots=True)
class MemoryPrediction:
    """What one pass needs: a training step after the first, or an inference. Bytes throughout."""

    parameter_bytes: int
    """Each tensor once."""
    buffer_bytes: int
    gradient_bytes: int
    """Of the parameters that receive one; 0 for inference."""
    optimizer_bytes: int
    saved_activation_bytes: int
    """Unique storages saved by autograd inside the model's forward, the input included where it is saved; parameters,
    buffers and the loss's own tensors not. 0 for inference."""
    peak_bytes: int
    """Most that tensors occupy at any moment: state, inputs, activations, gradients, temporaries; no workspace."""
    workspace_bytes: int
    """An estimate of what libraries take beside the tensors at the worst moment."""
    deciding_layer: str
    """Path of the module where the peak occurs; empty for the root."""
    deciding_type: str
    phase: Phase
    """The part of the step in which the peak occurs."""
    layers: tuple[LayerMemory, ...] = ()
    """Layers that save something, in the order of their first saving."""
    uncounted: tuple[str, ...] = ()
    """Operations that keep a reserve of unknown size, which is in none of the figures: a fused LSTM's."""

    @property
    def total_bytes(self) -> int:
        """The peak with the estimated workspace: what has to fit."""
        return self.peak_bytes + self.workspace_bytes


@dataclass(frozen=True, slots=True)
class BatchSearch:
    """The outcome of a search."""

    largest: int
    """The largest batch that fits; 0 where none does."""
    bounded: bool
    """False where the search ended at `MOST_BATCH`."""


def find_optimizer(word: str) -> OptimizerMemory:
    """The optimizer of that name, in any case. Raises UnknownNameError."""
    found = OPTIMIZERS.get(word.casefold())
    if found is None:
        raise UnknownNameError("optimizer", word, OPTIMIZERS, f"known: {', '.join(OPTIMIZERS)}")
    return found


def find_largest_batch(need: Callable[[int], int], limit_bytes: int, smallest: int = 1) -> BatchSearch:
    """The largest batch of which `need` (bytes, growing with the batch) stays within the limit.

    Each batch is asked for itself: a straight line through two known points only says where to look next, and the
    interval is halved where the line does not lead on.
    """
    needs = {smallest: need(smallest)}
    if needs[smallest] > limit_bytes:
        return BatchSearch(0, bounded=True)
    low, high = smallest, MOST_BATCH + 1
    guess = smallest + 1
    while high - low > 1:
        needs[guess] = need(guess)
        halve = False
        if needs[guess] <= limit_bytes:
            halve = high <= MOST_BATCH and guess - low < (high - low) // 4
            low = guess
        else:
            halve = high - guess < (high - low) // 4
            high = guess
        guess = (low + high) // 2 if halve and high <= MOST_BATCH else _follow_line(needs, limit_bytes, low, high)
    return BatchSearch(low, bounded=low < MOST_BATCH)


def _follow_line(needs: dict[int, int], limit_bytes: int, low: int, high: int) -> int:
    """Where the line through the last two points that are near the limit crosses it, within the open interval."""
    other = high if high in needs else max((batch for batch in needs if batch < low), default=low)
    step = abs(needs[other] - needs[low]) // abs(other - low) if other != low else 0
    crossing = low + (limit_bytes - needs[low]) // step if step else 2 * low
    # The batch just above the crossing is tried where the one below is known: it closes the interval.
    return min(max(crossing, low + 1), high - 1)


def find_trace_peak(trace: Trace) -> Peak:
    """The peak of an inference, read off a trace: a storage lives from the operation that makes it to its last reader.

    Parameters, buffers and the inputs live throughout, outputs to the end. What Python variables hold on to longer is
    not in a trace, so this is the least that the pass can need; workspace is left out.
    """
    storages = _Storages(trace)
    deaths: dict[int, list[int]] = {}
    for storage, last in storages.last_use.items():
        deaths.setdefault(last, []).append(storage)
    live = storages.resident_bytes
    peak = Peak(live, "", trace.root.type)
    for op in trace.ops:
        live += sum(storages.made_bytes(ref.value, op.index) for ref in op.outputs)
        if live > peak.live_bytes:
            layer = trace.layers[op.layer]
            peak = Peak(live, layer.path, layer.type)
        live -= sum(storages.sizes[storage] for storage in deaths.get(op.index, ()))
    return peak


class _Storages:
    """Which values share a storage, how large it is, which operation made it and which reads it last."""

    def __init__(self, trace: Trace) -> None:
        self.sizes: dict[int, int] = {}
        self.last_use: dict[int, int] = {}
        self._root: dict[int, int] = {}
        self._makers: dict[int, int] = {}
        held = {state.value for state in trace.state} | {ref.value for ref in trace.inputs}
        self.resident_bytes = trace.totals.param_bytes + trace.totals.buffer_bytes
        self.resident_bytes += sum(ref.spec.size_bytes for ref in {ref.value: ref for ref in trace.inputs}.values())
        for op in trace.ops:
            self._follow(op, held)
        for ref in trace.outputs:
            self.last_use.pop(self._root.get(ref.value, ref.value), None)

    def made_bytes(self, value: int, index: int) -> int:
        """Bytes of the value's storage where operation `index` made it; else 0."""
        root = self._root.get(value, value)
        return self.sizes.get(root, 0) if self._makers.get(root) == index and root == value else 0

    def _follow(self, op: OpRecord, held: set[int]) -> None:
        operator = find_operator(op.name)
        in_place = op.name.endswith("_") and not op.name.endswith("__")
        shares = in_place or (operator is not None and operator.view)
        for ref in op.inputs:
            root = self._root.get(ref.value, ref.value)
            if root in self._makers:
                self.last_use[root] = op.index
        for ref in op.outputs:
            if shares and op.inputs:
                self._root[ref.value] = self._root.get(op.inputs[0].value, op.inputs[0].value)
            elif ref.value not in held:
                self._makers[ref.value], self.sizes[ref.value] = op.index, ref.spec.size_bytes
                self.last_use[ref.value] = op.index
