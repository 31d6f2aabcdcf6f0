"""Which layer calls of a trace are shown: filtered by type or path, sorted, and cut to the largest."""

from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from archscope.core.cost import CostReport
from archscope.core.errors import UnknownNameError
from archscope.core.trace import LayerCall, Trace


@dataclass(frozen=True, slots=True)
class LayerFilter:
    """Which calls, in which order, how many."""

    pattern: str | None = None
    """A type (`Conv2d`), a path, or a pattern of either (`layer1.*`); None for the calls that hold no others."""
    sort: str | None = None
    """One of `SORT_KEYS`; None for MACs where `top` is set, else the order of execution."""
    top: int | None = None
    """How many; None for all."""


SORT_KEYS = ("macs", "params", "memory", "share", "output", "layer", "type", "order")
"""Numbers sort from the largest down (unknown ones last), names from a to z; `order` is that of execution."""

_REMARKS = {
    "macs": "largest MACs first",
    "share": "largest MACs first",
    "params": "most parameters first",
    "memory": "most activation memory first",
    "output": "largest output first",
    "layer": "by path",
    "type": "by type",
    "order": "in order of execution",
}


def select_layers(
    trace: Trace, costs: CostReport, selection: LayerFilter
) -> tuple[tuple[tuple[LayerCall, bool], ...], str]:
    """The chosen calls, each with whether its numbers include what it called, and a remark that says what was chosen.

    Raises UnknownNameError for a sort key that is none, or a pattern that nothing matches.
    """
    sort = selection.sort or ("macs" if selection.top is not None else "order")
    if sort not in SORT_KEYS:
        raise UnknownNameError("sort key", sort, SORT_KEYS, f"known: {', '.join(SORT_KEYS)}")
    chosen = _choose(trace, costs, selection.pattern)
    chosen.sort(key=_order_by(sort, trace, costs))
    total = len(chosen)
    if selection.top is not None:
        chosen = chosen[: selection.top]
    matching = f" matching {selection.pattern}" if selection.pattern else ""
    return tuple(chosen), f"{len(chosen)} of {total} layer calls{matching}, {_REMARKS[sort]}"


def _choose(trace: Trace, costs: CostReport, pattern: str | None) -> list[tuple[LayerCall, bool]]:
    if pattern is None:
        leaves = [(layer, True) for layer in trace.layers if layer.leaf]
        holders = [(layer, False) for layer in trace.layers if not layer.leaf and _holds_cost(layer, costs)]
        return sorted(leaves + holders, key=lambda item: item[0].id)
    folded = pattern.casefold()
    chosen = [(layer, True) for layer in trace.layers if _matches(layer, folded)]
    if not chosen:
        known = dict.fromkeys([layer.type for layer in trace.layers] + [layer.path for layer in trace.layers])
        raise UnknownNameError("layer or type", pattern, known, "patterns: 'layer1.*', '*Norm*'")
    return chosen


def _holds_cost(layer: LayerCall, costs: CostReport) -> bool:
    """Whether a call that holds others has parameters or MACs of its own."""
    return bool(layer.own_params) or costs.layers[layer.id].own_macs != 0


def _matches(layer: LayerCall, folded: str) -> bool:
    return fnmatchcase(layer.type.casefold(), folded) or fnmatchcase(layer.path.casefold(), folded)


def _order_by(sort: str, trace: Trace, costs: CostReport) -> Callable[[tuple[LayerCall, bool]], tuple[int | str, int]]:
    def count(item: tuple[LayerCall, bool]) -> int:
        layer, inclusive = item
        cost = costs.layers[layer.id]
        macs = cost.macs if inclusive else cost.own_macs
        return -1 if macs is None else macs

    def weigh(item: tuple[LayerCall, bool]) -> int:
        layer, inclusive = item
        return 0 if layer.call else layer.params if inclusive else layer.own_params

    keys: dict[str, Callable[[tuple[LayerCall, bool]], int | str]] = {
        "macs": lambda item: -count(item),
        "share": lambda item: -count(item),
        "params": lambda item: -weigh(item),
        "memory": lambda item: -trace.layer_activation_bytes[item[0].id] if item[1] else 0,
        "output": lambda item: -sum(ref.spec.elements for ref in item[0].outputs),
        "layer": lambda item: item[0].path,
        "type": lambda item: item[0].type,
        "order": lambda item: item[0].id,
    }
    return lambda item: (keys[sort](item), item[0].id)
