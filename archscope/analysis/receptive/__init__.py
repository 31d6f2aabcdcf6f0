"""How far every layer's outputs reach into the image, through branches the farthest path.

Convention: the padding counts as if the image went on, so a field may be larger than the image; the statistics of
normalisation layers are not followed (in eval, BatchNorm has none; GroupNorm's reach over the whole map).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from archscope.analysis.receptive.extent import Extent
from archscope.analysis.receptive.rules import follow_op
from archscope.analysis.receptive.state import UNKNOWN, Kind, Reach, State, begin_state
from archscope.core.trace import OpRecord, Trace, ValueRef

__all__ = [
    "DimensionField",
    "Extent",
    "Reach",
    "ReceptiveField",
    "State",
    "describe_reach",
    "measure_fields",
    "measure_values",
]


@dataclass(frozen=True, slots=True)
class DimensionField:
    """One spatial dimension of a receptive field."""

    kind: Kind
    """`whole`: all of the input; `unknown`: an operation on the way whose reading is not known."""
    size: int | None
    """Input positions that one output depends on; None unless `kind` is `extent`."""
    jump: Fraction | None
    """Input positions from one output to the next."""
    start: int | None
    """First input position behind output 0; negative in the padding."""
    centre: Fraction | None
    """Middle of the positions behind output 0."""


@dataclass(frozen=True, slots=True)
class ReceptiveField:
    """The receptive field of one layer's first output."""

    dimensions: tuple[DimensionField, ...]
    """Of an image height and width; empty where the layer depends on no image."""


def measure_fields(trace: Trace) -> tuple[ReceptiveField, ...]:
    """By layer id. Raises DataError where the trace was saved without its operations."""
    trace.check_ops()
    values = measure_values(trace)
    return tuple(
        ReceptiveField(_describe(values.get(layer.outputs[0].value, ())) if layer.outputs and trace.ops else ())
        for layer in trace.layers
    )


def measure_values(
    trace: Trace, starts: Iterable[ValueRef] | None = None, ops: Iterable[OpRecord] | None = None
) -> dict[int, State]:
    """The state of every value by its number, counted from the model's inputs, or from `starts` through `ops`."""
    begun = trace.inputs if starts is None else starts
    states: dict[int, State] = {ref.value: begin_state(len(ref.shape)) for ref in begun}
    for op in trace.ops if ops is None else ops:
        if not any(states.get(ref.value) for ref in op.inputs):
            continue
        states |= {ref.value: _keep_within(states[ref.value], ref) for ref in op.inputs if states.get(ref.value)}
        outputs = follow_op(op, states)
        states |= {ref.value: _keep_within(state, ref) for ref, state in zip(op.outputs, outputs, strict=False)}
    return states


def _keep_within(state: State, ref: ValueRef) -> State:
    """The state, unknown where a rule left a dimension on an axis that the value does not have."""
    rank = len(ref.shape)
    return tuple(UNKNOWN if reach.place in ("axis", "merged") and reach.axis >= rank else reach for reach in state)


def _describe(state: State) -> tuple[DimensionField, ...]:
    return tuple(describe_reach(reach) for reach in state)


def describe_reach(reach: Reach) -> DimensionField:
    """What a reach says about the image."""
    if reach.kind != "extent":
        return DimensionField(reach.kind, None, None, None, None)
    extent = reach.extent
    return DimensionField("extent", extent.size, extent.jump, extent.start, extent.centre)
