"""What is known about a tensor: for each spatial dimension of the image, how far its elements reach and on which axis.

A dimension of the image (height, width) usually has an axis of its own. Flattening merges it with others into one;
a map of 1x1 leaves a single position; a reshape can scatter it over several axes, after which it is lost.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from archscope.analysis.receptive.extent import Extent, unite_extents

Kind = Literal["extent", "whole", "unknown"]
Place = Literal["axis", "merged", "single", "lost"]


@dataclass(frozen=True, slots=True)
class Reach:
    """One spatial dimension of the image, seen from a tensor."""

    kind: Kind = "extent"
    """`whole`: every element depends on all of it; `unknown`: an operation whose reading is not known."""
    extent: Extent = Extent()  # noqa: RUF009  frozen
    place: Place = "axis"
    """`axis`: it has an axis of its own; `merged`: it shares one; `single`: one position is left; `lost`: scattered."""
    axis: int = 0
    """Where `place` is `axis` or `merged`."""
    folded: tuple[int, ...] = ()
    """Where `merged`: the sizes of the axes that became one; a view that unfolds them again gives it its own back."""
    fold_index: int = 0
    """Which of `folded` it is."""

    def moved(self, axis: int) -> "Reach":
        """The same on another axis."""
        return replace(self, axis=axis)


State: TypeAlias = tuple[Reach, ...]
"""By spatial dimension of the image; empty for a tensor that depends on no image."""

WHOLE = Reach(kind="whole", place="single")
UNKNOWN = Reach(kind="unknown", place="lost")


def begin_state(rank: int) -> State:
    """A model input `(N, C, ...)`: each dimension after the channels reaches itself."""
    return tuple(Reach(axis=axis) for axis in range(2, rank))


def unite_states(states: Iterable[State]) -> State:
    """What depends on several tensors of one shape."""
    known = [state for state in states if state]
    if not known:
        return ()
    if len({len(state) for state in known}) > 1:
        return tuple(UNKNOWN for _ in max(known, key=len))
    united = known[0]
    for state in known[1:]:
        united = tuple(unite_reaches(first, second) for first, second in zip(united, state, strict=True))
    return united


def unite_reaches(first: Reach, second: Reach) -> Reach:
    """The whole is the most; what is unknown stays so; extents unite where they lie on the same axis."""
    if "whole" in (first.kind, second.kind):
        return WHOLE
    if "unknown" in (first.kind, second.kind):
        return UNKNOWN
    extent = unite_extents(first.extent, second.extent)
    if extent is None:
        return UNKNOWN
    places = {first.place, second.place} - {"single"}
    if not places:
        return replace(first, extent=extent)
    located = first if first.place != "single" else second
    if first.folded != second.folded:
        located = replace(located, folded=())
    if len(places) > 1 or (first.axis != second.axis and "single" not in (first.place, second.place)):
        return replace(located, extent=extent, place="lost")
    return replace(located, extent=extent)


def contract_axes(state: State, axes: Iterable[int]) -> State:
    """Every output reads all positions along `axes`: a sum, a mean, a matrix product."""
    taken = set(axes)

    def contract(reach: Reach) -> Reach:
        if reach.kind != "extent" or reach.place == "single":
            return reach
        if reach.place == "lost":
            return UNKNOWN
        return WHOLE if reach.axis in taken else reach

    return tuple(contract(reach) for reach in state)


def lose_axes(state: State, axes: Iterable[int]) -> State:
    """Positions along `axes` are reordered or picked in a way that is not followed."""
    taken = set(axes)
    return tuple(
        UNKNOWN if reach.kind == "extent" and (reach.place == "lost" or _lies_on(reach, taken)) else reach
        for reach in state
    )


def map_axes(state: State, places: dict[int, int]) -> State:
    """Axes change their numbers; one that is not in `places` is gone, as a size of 1 may be."""

    def move(reach: Reach) -> Reach:
        if reach.place not in ("axis", "merged"):
            return reach
        return reach.moved(places[reach.axis]) if reach.axis in places else replace(reach, place="single")

    return tuple(move(reach) for reach in state)


def reshape_state(state: State, before: Sequence[int], after: Sequence[int]) -> State:
    """A view of another shape: each group of axes with one product becomes another group."""
    groups = list(_group_axes(before, after))

    def follow(reach: Reach) -> Reach:
        if reach.place not in ("axis", "merged"):
            return reach
        if before[reach.axis] == 1:
            kept = [axis for axis in range(len(after)) if after[axis] == 1 and axis == reach.axis]
            return reach if kept and len(before) == len(after) else replace(reach, place="single")
        old, new = next((old, new) for old, new in groups if reach.axis in old)
        sources = [axis for axis in old if before[axis] != 1]
        targets = [axis for axis in new if after[axis] != 1]
        if len(sources) == 1 and len(targets) > 1 and reach.folded == tuple(after[axis] for axis in targets):
            return replace(reach, place="axis", axis=targets[reach.fold_index], folded=(), fold_index=0)
        if len(targets) != 1:
            return replace(reach, place="lost")
        if len(sources) == 1:
            return reach.moved(targets[0])
        folded = tuple(before[axis] for axis in sources) if reach.place == "axis" else ()
        return replace(reach, place="merged", axis=targets[0], folded=folded, fold_index=sources.index(reach.axis))

    return tuple(follow(reach) for reach in state)


def _lies_on(reach: Reach, axes: set[int]) -> bool:
    return reach.place in ("axis", "merged") and reach.axis in axes


def _group_axes(before: Sequence[int], after: Sequence[int]) -> Iterable[tuple[list[int], list[int]]]:
    """The finest groups of neighbouring axes whose products agree."""
    left = right = 0
    while left < len(before) or right < len(after):
        old: list[int] = []
        new: list[int] = []
        held = made = 1
        while not old or not new or held != made:
            if left < len(before) and (held <= made or right >= len(after)):
                held *= before[left]
                old.append(left)
                left += 1
            elif right < len(after):
                made *= after[right]
                new.append(right)
                right += 1
            else:
                break
        yield old, new
