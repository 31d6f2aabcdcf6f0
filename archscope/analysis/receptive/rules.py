"""How each operation passes reaches on: windows, resampling, reductions, products, and movements of axes.

An operation without a rule whose output has the shape of its inputs, broadcast, is taken as working position by
position; any other leaves the dimensions that it may have touched unknown.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from archscope.analysis.receptive.extent import (
    Extent,
    Reading,
    apply_reading,
    read_adaptive,
    read_interpolated,
    read_nearest,
    read_transposed,
    read_window,
)
from archscope.analysis.receptive.layout_ops import LAYOUTS, find_main, read_axis
from archscope.analysis.receptive.state import (
    UNKNOWN,
    WHOLE,
    Reach,
    State,
    contract_axes,
    lose_axes,
    map_axes,
    unite_states,
)
from archscope.analysis.windows import Window, count_dimensions, is_convolution, is_transposed, read_windows
from archscope.core.operators import Operator, find_operator
from archscope.core.trace import OpRecord

States: TypeAlias = Mapping[int, State]
Rule: TypeAlias = Callable[[OpRecord, States], State]


def follow_op(op: OpRecord, states: States) -> tuple[State, ...]:
    """The states of the operation's outputs."""
    operator = _find_reader(op.name)
    word = operator.reading if operator is not None else ""
    if word in LAYOUTS:
        return LAYOUTS[word](op, states)
    state = _RULES.get(word, _follow_positions)(op, states)
    return tuple(state for _ in op.outputs)


def _find_reader(name: str) -> Operator | None:
    """What is known of the operator, or of aten's namesake where another library's is not known or has no class."""
    operator = find_operator(name)
    if operator is None or operator.kind == "other":
        return find_operator(f"aten.{name.partition('.')[2]}") or operator
    return operator


def resample(state: State, readings: Mapping[int, Reading]) -> State:
    """Each dimension that lies alone on an axis is read by that axis's reading; what shares one is unknown."""

    def follow(reach: Reach) -> Reach:
        if reach.kind != "extent" or reach.place == "single":
            return reach
        if reach.place == "lost":
            return UNKNOWN
        if reach.axis not in readings:
            return reach
        extent = apply_reading(reach.extent, readings[reach.axis]) if reach.place == "axis" else None
        return UNKNOWN if extent is None else replace(reach, extent=extent)

    return tuple(follow(reach) for reach in state)


def _follow_convolution(op: OpRecord, states: States) -> State:
    ref, state = find_main(op, states)
    windows = read_windows(op)
    if not is_convolution(op):
        return lose_axes(state, range(len(ref.shape)))
    read, first = read_transposed if is_transposed(op) else read_window, len(ref.shape) - len(windows)
    channels = (first - 1,)
    mixed = contract_axes(state, channels) if op.argument("groups", 1) == 1 else lose_axes(state, channels)
    return resample(mixed, _read_each(windows, first, read))


def _follow_pool(op: OpRecord, states: States) -> State:
    ref, state = find_main(op, states)
    windows = read_windows(op)
    return resample(state, _read_each(windows, len(ref.shape) - len(windows), read_window))


def _read_each(windows: Sequence[Window], first: int, read: Callable[..., Reading]) -> dict[int, Reading]:
    return {
        first + place: read(window.kernel, window.stride, window.padding, window.dilation)
        for place, window in enumerate(windows)
    }


def _follow_adaptive(op: OpRecord, states: States) -> State:
    ref, state = find_main(op, states)
    rank = count_dimensions(op)
    out = op.outputs[0].shape
    axes = range(len(ref.shape) - rank, len(ref.shape))
    whole = contract_axes(state, (axis for axis in axes if out[axis] == 1 and ref.shape[axis] > 1))
    return resample(whole, {axis: read_adaptive(ref.shape[axis], out[axis]) for axis in axes})


def _follow_upsampling(op: OpRecord, states: States) -> State:
    ref, state = find_main(op, states)
    out, align = op.outputs[0].shape, op.argument("align_corners") is True
    operator = find_operator(op.name)
    taps = operator.taps if operator is not None else 1
    readings = {}
    for axis in range(2, len(ref.shape)):
        size, outputs = ref.shape[axis], out[axis]
        nearest = taps == 1
        readings[axis] = (
            read_nearest(size, outputs) if nearest else read_interpolated(size, outputs, taps, align_corners=align)
        )
    return resample(state, readings)


def _follow_shuffle(op: OpRecord, states: States) -> State:
    """`pixel_shuffle`: each position becomes a patch of factor x factor."""
    ref, state = find_main(op, states)
    factor = op.outputs[0].shape[-1] // ref.shape[-1]
    rank = len(ref.shape)
    reading = Reading(lambda output: (output // factor,), period=factor)
    return resample(state, {rank - 2: reading, rank - 1: reading})


def _follow_unshuffle(op: OpRecord, states: States) -> State:
    """`pixel_unshuffle`: each patch of factor x factor becomes a position."""
    ref, state = find_main(op, states)
    factor = ref.shape[-1] // op.outputs[0].shape[-1]
    rank = len(ref.shape)
    return resample(state, {axis: read_window(factor, factor, 0) for axis in (rank - 2, rank - 1)})


def _follow_reduction(op: OpRecord, states: States) -> State:
    ref, state = find_main(op, states)
    dims = op.argument("dim")
    listed = dims if isinstance(dims, tuple) else (dims,)
    axes = [read_axis(ref.shape, dim) for dim in listed if isinstance(dim, int)] or list(range(len(ref.shape)))
    reduced = contract_axes(state, axes)
    if len(op.outputs[0].shape) == len(ref.shape):
        return reduced
    kept = [axis for axis in range(len(ref.shape)) if axis not in axes]
    return map_axes(reduced, {axis: place for place, axis in enumerate(kept)})


def _follow_mixing(op: OpRecord, states: States) -> State:
    """Same shape, but every output reads all positions along one axis: softmax, cumulative sums."""
    ref, state = find_main(op, states)
    return contract_axes(state, (read_axis(ref.shape, op.argument("dim", -1)),))


def _follow_product(op: OpRecord, states: States) -> State:
    """A product with a weight sums over the last axis; a product of two activations is taken to mix everything."""
    data = [(ref, states[ref.value]) for ref in op.inputs if states.get(ref.value) and ref.spec.key != "bias"]
    if len(data) > 1 and len({ref.value for ref, _ in data}) > 1:
        return unite_states(_mix_everything(state) for _, state in data)
    ref, state = data[0]
    operator = _find_reader(op.name)
    if operator is not None and ref.spec.key in operator.weight and len(ref.shape) > 1:
        return lose_axes(state, range(len(ref.shape)))
    return contract_axes(state, (len(ref.shape) - 1,))


def _follow_attention(op: OpRecord, states: States) -> State:
    return unite_states(_mix_everything(states.get(ref.value, ())) for ref in op.inputs)


def _mix_everything(state: State) -> State:
    """Where a dimension is scattered over several axes, its parts are mixed within windows: how far is not known."""
    scattered = UNKNOWN, WHOLE
    return tuple(
        reach if reach.kind != "extent" or reach.place == "single" else scattered[reach.place != "lost"]
        for reach in state
    )


def _follow_unknown(op: OpRecord, states: States) -> State:
    ref, state = find_main(op, states)
    return lose_axes(state, range(len(ref.shape)))


def _follow_positions(op: OpRecord, states: States) -> State:
    """Position by position, inputs of fewer or shorter axes broadcast."""
    if not op.outputs:
        return ()
    out = op.outputs[0].shape
    aligned = []
    for ref in op.inputs:
        state = states.get(ref.value, ())
        if not state:
            continue
        if len(ref.shape) > len(out) or any(
            size not in (1, whole) for size, whole in zip(reversed(ref.shape), reversed(out), strict=False)
        ):
            return lose_axes(state, range(len(ref.shape)))
        aligned.append(_broadcast(state, ref.shape, out))
    return unite_states(aligned)


def _broadcast(state: State, shape: Sequence[int], out: Sequence[int]) -> State:
    added = len(out) - len(shape)

    def spread(reach: Reach) -> Reach:
        if reach.place not in ("axis", "merged"):
            return reach
        moved = reach.moved(reach.axis + added)
        if shape[reach.axis] == 1 and out[reach.axis + added] != 1 and reach.kind == "extent":
            span = reach.extent.find_span(0)
            return replace(moved, extent=Extent((span,), 0))
        return moved

    return tuple(spread(reach) for reach in state)


_RULES: dict[str, Rule] = {
    "convolution": _follow_convolution,
    "pool": _follow_pool,
    "adaptive pool": _follow_adaptive,
    "resampling": _follow_upsampling,
    "shuffle": _follow_shuffle,
    "unshuffle": _follow_unshuffle,
    "reduction": _follow_reduction,
    "mixing": _follow_mixing,
    "product": _follow_product,
    "attention": _follow_attention,
    "encoder": _follow_attention,
    "recurrent": _follow_attention,
    "unknown": _follow_unknown,
}
"""By the words of `Operator.reading`, beside those of `LAYOUTS`; any other means position by position."""
