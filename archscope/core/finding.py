"""Findings: what a check, a budget, a diagnosis or a verification has to say, one shape for all."""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found, with its place and its remedy."""

    severity: Severity
    code: str
    """Stable word for machines: `budget-params`, `shape-comment`, ..."""
    message: str
    place: str = ""
    """A layer path, or `file:line`; empty where the finding is about the whole."""
    expected: str = ""
    measured: str = ""
    remedy: str = ""
    file: str = ""
    line: int = 0
    """Line in `file`, from 1; 0 where there is none."""


@dataclass(frozen=True, slots=True)
class Check:
    """One budget, kept or broken."""

    quantity: str
    """`params`, `macs` or `activations`."""
    measured: int | None
    """Null where it is not known in full."""
    limit: int
    """Largest allowed value."""
    against: str
    """`maximum`, or the name of the baseline."""
    finding: Finding | None
    """None where the budget is kept."""
