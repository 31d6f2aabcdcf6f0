"""Operations that move axes or pick parts of them: views, permutations, slices, concatenations, padding."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from archscope.analysis.receptive.extent import Extent, Reading, apply_reading
from archscope.analysis.receptive.state import UNKNOWN, Reach, State, lose_axes, map_axes, reshape_state, unite_states
from archscope.core.trace import OpRecord, Setting, ValueRef

States: TypeAlias = Mapping[int, State]
LayoutRule: TypeAlias = Callable[[OpRecord, States], tuple[State, ...]]


def find_main(op: OpRecord, states: States) -> tuple[ValueRef, State]:
    """The tensor that an operation works on: the first that depends on the image."""
    return next((ref, states[ref.value]) for ref in op.inputs if states.get(ref.value))


def read_axis(shape: Sequence[int], dim: Setting, extra: int = 0) -> int:
    """A dimension counted from the front, of a shape that has `extra` dimensions more."""
    return dim % (len(shape) + extra) if isinstance(dim, int) and len(shape) + extra else 0


def _same(op: OpRecord, state: State) -> tuple[State, ...]:
    return tuple(state for _ in op.outputs)


def read_along(state: State, axis: int, reading: Reading) -> State:
    """The dimension alone on `axis` is read by `reading`; one that shares it keeps what it has."""

    def follow(reach: Reach) -> Reach:
        if reach.kind != "extent" or reach.place != "axis" or reach.axis != axis:
            return reach
        extent = apply_reading(reach.extent, reading)
        return UNKNOWN if extent is None else replace(reach, extent=extent)

    return tuple(follow(reach) for reach in state)


def _reshape(op: OpRecord, states: States) -> tuple[State, ...]:
    ref, state = find_main(op, states)
    return tuple(reshape_state(state, ref.shape, out.shape) for out in op.outputs)


def _permute(op: OpRecord, states: States) -> tuple[State, ...]:
    ref, state = find_main(op, states)
    dims = op.argument("dims", ())
    order = [read_axis(ref.shape, dim) for dim in dims] if isinstance(dims, tuple) else []
    return _same(op, map_axes(state, {axis: place for place, axis in enumerate(order)}))


def _transpose(op: OpRecord, states: States) -> tuple[State, ...]:
    ref, state = find_main(op, states)
    first, second = (read_axis(ref.shape, op.argument(name, default)) for name, default in (("dim0", -2), ("dim1", -1)))
    order = list(range(len(ref.shape)))
    if len(order) > 1:
        order[first], order[second] = order[second], order[first]
    return _same(op, map_axes(state, {axis: place for place, axis in enumerate(order)}))


def _unsqueeze(op: OpRecord, states: States) -> tuple[State, ...]:
    ref, state = find_main(op, states)
    new = read_axis(ref.shape, op.argument("dim", 0), extra=1)
    return _same(op, map_axes(state, {axis: axis + (axis >= new) for axis in range(len(ref.shape))}))


def _squeeze(op: OpRecord, states: States) -> tuple[State, ...]:
    ref, state = find_main(op, states)
    dims = op.argument("dim")
    listed = dims if isinstance(dims, tuple) else (dims,)
    asked = {read_axis(ref.shape, dim) for dim in listed if isinstance(dim, int)} or set(range(len(ref.shape)))
    kept = [axis for axis in range(len(ref.shape)) if axis not in asked or ref.shape[axis] != 1]
    return _same(op, map_axes(state, {axis: place for place, axis in enumerate(kept)}))


def _slice(op: OpRecord, states: States) -> tuple[State, ...]:
    ref, state = find_main(op, states)
    axis = read_axis(ref.shape, op.argument("dim", 0))
    start, step = op.argument("start", 0), op.argument("step", 1)
    first = start if isinstance(start, int) else 0
    first = max(0, first + ref.shape[axis]) if first < 0 else first
    pace = step if isinstance(step, int) else 1
    return _same(op, read_along(state, axis, Reading(lambda output: (first + output * pace,), advance=pace)))


def _select(op: OpRecord, states: States) -> tuple[State, ...]:
    ref, state = find_main(op, states)
    axis = read_axis(ref.shape, op.argument("dim", 0))
    index = op.argument("index", 0)
    place = index % ref.shape[axis] if isinstance(index, int) and ref.shape[axis] else 0
    return _same(op, _pick(state, axis, place, len(ref.shape)))


def _pick(state: State, axis: int, place: int, rank: int) -> State:
    """One position along `axis`, which is gone afterwards."""

    def follow(reach: Reach) -> Reach:
        if reach.kind == "extent" and reach.place == "axis" and reach.axis == axis:
            return replace(reach, extent=Extent((reach.extent.find_span(place),), 0), place="single")
        return reach

    kept = [other for other in range(rank) if other != axis]
    return map_axes(tuple(follow(reach) for reach in state), {other: new for new, other in enumerate(kept)})


def _unbind(op: OpRecord, states: States) -> tuple[State, ...]:
    ref, state = find_main(op, states)
    axis = read_axis(ref.shape, op.argument("dim", 0))
    return tuple(_pick(state, axis, place, len(ref.shape)) for place in range(len(op.outputs)))


def _split(op: OpRecord, states: States) -> tuple[State, ...]:
    ref, state = find_main(op, states)
    axis = read_axis(ref.shape, op.argument("dim", 0))
    parts, start = [], 0
    for out in op.outputs:
        parts.append(read_along(state, axis, Reading(lambda output, start=start: (start + output,))))  # type: ignore[misc]
        start += out.shape[axis]
    return tuple(parts)


def _concatenate(op: OpRecord, states: States) -> tuple[State, ...]:
    """Parts beside each other; along an image dimension their positions no longer count from one origin."""
    axis = read_axis(op.outputs[0].shape, op.argument("dim", 0))
    united = unite_states(states.get(ref.value, ()) for ref in op.inputs)
    return _same(op, tuple(_share(reach, axis) for reach in united))


def _share(reach: Reach, axis: int) -> Reach:
    shares = reach.place in ("axis", "merged") and reach.axis == axis
    return replace(reach, place="merged", folded=()) if shares else reach


def _stack(op: OpRecord, states: States) -> tuple[State, ...]:
    rank = len(op.outputs[0].shape)
    new = read_axis(op.outputs[0].shape, op.argument("dim", 0))
    united = unite_states(states.get(ref.value, ()) for ref in op.inputs)
    return _same(op, map_axes(united, {axis: axis + (axis >= new) for axis in range(rank - 1)}))


def _pad(op: OpRecord, states: States) -> tuple[State, ...]:
    """`pad` counts from the last axis: left and right of it, then of the one before."""
    ref, state = find_main(op, states)
    pads = op.argument("pad", op.argument("padding", ()))
    numbers = pads if isinstance(pads, tuple) else ()
    for place, left in enumerate(numbers[::2]):
        if isinstance(left, int) and left:
            shift = left
            reading = Reading(lambda output, shift=shift: (output - shift,))  # type: ignore[misc]
            state = read_along(state, len(ref.shape) - 1 - place, reading)
    return _same(op, state)


def _expand(op: OpRecord, states: States) -> tuple[State, ...]:
    ref, state = find_main(op, states)
    out = op.outputs[0].shape
    added = len(out) - len(ref.shape)
    moved = map_axes(state, {axis: axis + added for axis in range(len(ref.shape))})
    grown = [axis + added for axis, size in enumerate(ref.shape) if size != out[axis + added] and size != 1]
    repeated = [axis + added for axis, size in enumerate(ref.shape) if size == 1 != out[axis + added]]
    return _same(op, lose_axes(_repeat_single(moved, repeated), grown))


def _repeat_single(state: State, axes: Sequence[int]) -> State:
    """A lone position that is repeated: every copy depends on the same."""
    return tuple(
        replace(reach, extent=Extent((reach.extent.find_span(0),), 0))
        if reach.kind == "extent" and reach.place == "axis" and reach.axis in axes
        else reach
        for reach in state
    )


LAYOUTS: dict[str, LayoutRule] = {
    "reshape": _reshape,
    "permute": _permute,
    "transpose": _transpose,
    "unsqueeze": _unsqueeze,
    "squeeze": _squeeze,
    "slice": _slice,
    "select": _select,
    "unbind": _unbind,
    "split": _split,
    "concatenation": _concatenate,
    "stack": _stack,
    "padding": _pad,
    "expand": _expand,
}
"""By the words of `Operator.reading`."""
