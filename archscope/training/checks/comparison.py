"""Two passes through one model go in; the first layer whose output differs comes out."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from archscope.training.checks.layers import watch_calls


@dataclass(slots=True)
class _Recorder:
    """Keeps the outputs of the layers without children, in the order of their calls."""

    rows: slice
    outputs: list[tuple[str, Tensor]] = field(default_factory=list)

    def enter(self, path: str, part: nn.Module) -> None:
        pass

    def leave(self, path: str, part: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        if next(part.children(), None) is None and isinstance(output, Tensor) and output.dim() > 0:
            self.outputs.append((path, output.detach()[self.rows].float().cpu().clone()))


def find_first_difference(
    module: nn.Module, first: Callable[[], Any], second: Callable[[], Any], *, rows: slice, tolerance: float = 1e-4
) -> str:
    """The path of the first layer whose output, cut to `rows`, differs by more than `tolerance` of its largest value.

    Empty where none does, or where the layers called are not the same.
    """
    recorders = []
    for run in (first, second):
        recorder = _Recorder(rows)
        with watch_calls(module, recorder):
            run()
        recorders.append(recorder)
    for (path, one), (other_path, other) in zip(recorders[0].outputs, recorders[1].outputs, strict=False):
        if path != other_path or one.shape != other.shape:
            return path
        if differs(one, other, tolerance):
            return path
    return ""


def differs(one: Tensor, other: Tensor, tolerance: float) -> bool:
    """Whether the largest difference is more than `tolerance` of the largest value; NaN in either differs."""
    if one.numel() == 0:
        return False
    return not float((one - other).abs().max()) <= tolerance * max(float(one.abs().max()), 1e-12)
