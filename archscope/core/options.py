"""How to trace a target named in words: what the command line and Python ask for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from archscope.core.inputs import InputSpec
from archscope.core.trace import Mode


@dataclass(frozen=True, slots=True)
class TraceOptions:
    """How to trace a target named in words."""

    arguments: Mapping[str, Any] = field(default_factory=dict)
    """Constructor arguments."""
    inputs: tuple[InputSpec, ...] = ()
    """Inputs asked for; empty: the target's own."""
    train: bool | None = None
    """Training flag; None: the target's own (eval for models that are named)."""
    mode: Mode | None = None
    """None: meta, else fake tensors, else a real forward."""
