"""Costs: a count or the reason why there is none, never a silent zero."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cost:
    """Multiply-accumulates of one operation."""

    macs: int | None
    """The count; None where the operation cannot be counted."""
    reason: str = ""
    """Why there is no count; empty where there is one."""


@dataclass(frozen=True, slots=True)
class LayerCost:
    """Multiply-accumulates of one layer call."""

    macs: int | None
    """Of the call and everything it called; None where any part is unknown."""
    own_macs: int | None
    """Of the operations attributed to this call itself; None where any is unknown."""


@dataclass(frozen=True, slots=True)
class Uncounted:
    """Operations of one kind that could not be counted."""

    op: str
    """Qualified name: `aten.foo`."""
    layers: tuple[int, ...]
    """Ids of the layer calls they ran in."""
    calls: int
    reason: str


@dataclass(frozen=True, slots=True)
class CostReport:
    """Everything that was counted in one trace."""

    ops: tuple[Cost, ...]
    """By operation index."""
    layers: tuple[LayerCost, ...]
    """By layer id."""
    macs: int | None
    """Of the whole pass; None where anything is unknown."""
    counted_macs: int
    """The part that is known."""
    activations: int
    """Output elements of convolution and linear layers (RegNet's and timm's convention)."""
    uncounted: tuple[Uncounted, ...] = ()
