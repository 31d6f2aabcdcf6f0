"""The words of a target decide its origin; the origin's file finds it."""

from collections.abc import Mapping
from typing import Any

from archscope.targets.builtin import find_builtin
from archscope.targets.target import Target


def resolve_target(text: str, arguments: Mapping[str, Any]) -> Target:
    """Find the target `text` with its constructor `arguments`. Raises UnknownNameError, UsageError, TargetError."""
    return find_builtin(text, arguments)
