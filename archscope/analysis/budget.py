"""Whether a model keeps within limits or a baseline: one finding for each broken budget, with the layers that grew."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from shlex import quote

from archscope.core.cost import CostReport
from archscope.core.finding import Check, Finding
from archscope.core.trace import Trace
from archscope.core.units import format_exact

MOST_LAYERS = 5
"""Layers named in one line."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One traced model."""

    trace: Trace
    costs: CostReport

    def total(self, quantity: str) -> int | None:
        """The whole model's `params`, `macs` or `activations`; None where it is not known in full.

        Where an operation has no count, nobody knows whether it is a convolution: the activations are unknown too.
        """
        if quantity == "params":
            return self.trace.totals.params
        if quantity == "macs" or self.costs.macs is None:
            return self.costs.macs
        return self.costs.activations


def check_maximum(model: Measured, quantity: str, limit: int) -> Check:
    """Whether the model's total stays within `limit`. What is not known in full breaks the budget too."""
    measured = model.total(quantity)
    finding = None
    if measured is None:
        finding = _incomplete(model, quantity, limit)
    elif measured > limit:
        over = measured - limit
        finding = Finding(
            "error",
            f"budget-{quantity}",
            f"{quantity} {format_exact(measured)} exceed the budget of {format_exact(limit)} by {format_exact(over)}",
            expected=format_exact(limit),
            measured=format_exact(measured),
            remedy=_name_largest(model, quantity),
        )
    return Check(quantity, measured, limit, "maximum", finding)


def check_baseline(model: Measured, baseline: Measured, quantity: str, *, name: str, tolerance: float = 0.0) -> Check:
    """Whether the model's total has not grown over the baseline's by more than the fraction `tolerance`."""
    before, now = baseline.total(quantity), model.total(quantity)
    if before is None:
        return Check(quantity, now, 0, name, _incomplete(baseline, quantity, None))
    limit = before + int(before * tolerance)
    if now is None:
        return Check(quantity, now, limit, name, _incomplete(model, quantity, limit))
    if now <= limit:
        return Check(quantity, now, limit, name, None)
    grown = list_grown(model, baseline, quantity)
    finding = Finding(
        "error",
        f"baseline-{quantity}",
        f"{quantity} grew by {format_exact(now - before)}, from {format_exact(before)} to {format_exact(now)}"
        + (f": {_join(grown)}" if grown else ""),
        place=grown[0][0] if grown else "",
        expected=format_exact(limit),
        measured=format_exact(now),
        remedy=f"if that is meant, save a new {name}: archscope trace TARGET -o {quote(name)}",
    )
    return Check(quantity, now, limit, name, finding)


def list_grown(model: Measured, baseline: Measured, quantity: str) -> list[tuple[str, int, str]]:
    """Layers with more of `quantity` than in the baseline: `(path, growth, "new" or "")`, largest first."""
    count = _COUNTS.get(quantity)
    if count is None:
        return []
    before, now = count(baseline), count(model)
    grown = [
        (path, value - before.get(path, 0), "" if path in before else "new")
        for path, value in now.items()
        if value > before.get(path, 0)
    ]
    return sorted(grown, key=lambda item: (-item[1], item[0]))


def _count_params(model: Measured) -> Mapping[str, int]:
    # Each tensor once: a module called twice, or that shares its parameters with one seen before, adds nothing.
    counted: dict[str, int] = {}
    for layer in model.trace.layers:
        if layer.own_params and not any(path in counted for path in (layer.path, *layer.shared_with)):
            counted[layer.path] = layer.own_params
    return counted


def _count_macs(model: Measured) -> Mapping[str, int]:
    counted: dict[str, int] = {}
    for layer, cost in zip(model.trace.layers, model.costs.layers, strict=True):
        counted[layer.path] = counted.get(layer.path, 0) + (cost.own_macs or 0)
    return counted


_COUNTS: dict[str, Callable[[Measured], Mapping[str, int]]] = {"params": _count_params, "macs": _count_macs}


def _incomplete(model: Measured, quantity: str, limit: int | None) -> Finding:
    kinds = ", ".join(f"{kind.op} ({kind.reason})" for kind in model.costs.uncounted[:3]) or "not all is counted"
    counted = model.costs.activations if quantity == "activations" else model.costs.counted_macs
    return Finding(
        "error",
        f"incomplete-{quantity}",
        f"{quantity} are not known in full: {kinds}",
        expected="" if limit is None else format_exact(limit),
        measured=f"at least {format_exact(counted)}",
    )


def _name_largest(model: Measured, quantity: str) -> str:
    count = _COUNTS.get(quantity)
    if count is None:
        return ""
    largest = sorted(count(model).items(), key=lambda item: -item[1])[:3]
    return "largest: " + ", ".join(f"{path or 'the root'} {format_exact(value)}" for path, value in largest if value)


def _join(grown: list[tuple[str, int, str]]) -> str:
    shown = [f"{path or 'the root'} +{format_exact(growth)}{' (new)' if new else ''}" for path, growth, new in grown]
    more = len(shown) - MOST_LAYERS
    return ", ".join(shown[:MOST_LAYERS]) + (f" and {more} more" if more > 0 else "")
