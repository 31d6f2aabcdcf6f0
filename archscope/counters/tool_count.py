"""What a counter says of one model, beside ours, and where the two differ."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Difference:
    """A part of theirs minus ours, with its cause."""

    macs: int
    """Theirs minus ours: positive where the tool counts more."""
    cause: str
    explained: bool = True
    """False where nothing that is known of the tool accounts for it."""


@dataclass(frozen=True, slots=True)
class RawCount:
    """What one tool counted."""

    params: int | None
    """None where the tool does not count them."""
    macs: int
    """In our convention: one MAC is one multiply-add."""
    printed: str
    """As the tool itself puts it: `8.178 GFLOPs (2 per MAC)`."""
    by_kind: Mapping[str, int] = field(default_factory=dict)
    """MACs by kind of operation, for tools that count operations."""
    by_layer: Mapping[str, int] = field(default_factory=dict)
    """MACs by module path, for tools that count layers."""
    unsupported: tuple[str, ...] = ()
    """Operations that the tool met and has no formula for."""


@dataclass(frozen=True, slots=True)
class ToolCount:
    """One tool beside ours."""

    tool: str
    version: str
    place: str
    """`meta` or `cpu`: where the model was that it ran; empty where it did not run."""
    params: int | None = None
    macs: int | None = None
    printed: str = ""
    params_differences: tuple[Difference, ...] = ()
    """Of parameters; `macs` holds their number."""
    differences: tuple[Difference, ...] = ()
    error: str = ""
    """Why there is no count: not installed, or what it raised."""

    @property
    def explained(self) -> bool:
        """Whether every difference has a known cause."""
        return all(item.explained for item in (*self.differences, *self.params_differences))


@dataclass(frozen=True, slots=True)
class Comparison:
    """Ours and every tool's, of one target."""

    target: str
    title: str
    shape: str
    """Of the inputs."""
    params: int
    macs: int | None
    """None where ours has uncounted operations."""
    tool_counts: tuple[ToolCount, ...]
