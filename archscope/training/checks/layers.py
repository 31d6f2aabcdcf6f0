"""One forward pass goes in; what each layer did with the scale of its activations comes out."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from archscope.core.operators import find_operator

WEIGHTED = (nn.modules.conv._ConvNd, nn.Linear)


@dataclass(frozen=True, slots=True)
class LayerScale:
    """A call of a layer without children."""

    path: str
    type: str
    weighted: bool
    """Whether it is a convolution or linear layer."""
    input_rms: float
    """Root mean square of its first input; 0 where that is no floating-point tensor."""
    output_rms: float
    input_signal: float
    """Root mean square of what differs between the images: their mean is taken off."""
    output_signal: float
    gain: float | None
    """Root mean square of the weights times the root of the fan-in: what it multiplies white noise by. None where it
    has no weights, or they are all zero (as some last layers start)."""


@dataclass(frozen=True, slots=True)
class DeadUnits:
    """A rectifier that was called."""

    path: str
    """The innermost module that called it."""
    share: float
    """Fraction of the units (channels) that get no positive value at any item and place, and some negative one."""


@dataclass(slots=True)
class Observations:
    """Layers and rectifiers, in the order of their calls."""

    layers: list[LayerScale] = field(default_factory=list)
    rectifiers: list[DeadUnits] = field(default_factory=list)


def observe_scales(module: nn.Module, run: Callable[[], Any]) -> tuple[Observations, Any]:
    """Run `run`, which calls `module`, and measure on the way; what it returned comes second."""
    seen = Observations()
    stack: list[str] = []
    with watch_calls(module, _Measurer(seen, stack)), _WatchRectifiers(seen, stack):
        result = run()
    return seen, result


@dataclass(frozen=True, slots=True)
class _Measurer:
    seen: Observations
    stack: list[str]

    def enter(self, path: str, part: nn.Module) -> None:
        self.stack.append(path)

    def leave(self, path: str, part: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        self.stack.pop()
        if next(part.children(), None) is not None or not isinstance(output, Tensor):
            return
        weighted = isinstance(part, WEIGHTED)
        self.seen.layers.append(
            LayerScale(
                path=path,
                type=type(part).__name__,
                weighted=weighted,
                input_rms=_find_rms(inputs[0]) if inputs else 0.0,
                output_rms=_find_rms(output),
                input_signal=_find_signal(inputs[0]) if inputs else 0.0,
                output_signal=_find_signal(output),
                gain=_find_gain(part) if weighted else None,
            )
        )


def _find_rms(value: Any) -> float:
    if not isinstance(value, Tensor) or not value.dtype.is_floating_point or value.numel() == 0:
        return 0.0
    return float(value.detach().to(torch.float32).square().mean().sqrt())


def _find_signal(value: Any) -> float:
    if not isinstance(value, Tensor) or not value.dtype.is_floating_point or value.dim() < 2:
        return 0.0
    values = value.detach().to(torch.float32)
    return _find_rms(values - values.mean(0, keepdim=True))


def _find_gain(part: nn.Module) -> float | None:
    weight = getattr(part, "weight", None)
    if not isinstance(weight, Tensor) or getattr(part, "transposed", False):
        return None
    rms = _find_rms(weight)
    return rms * weight[0].numel() ** 0.5 if rms else None


class _WatchRectifiers(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sees every ReLU, whether it was a module or a function."""

    def __init__(self, seen: Observations, stack: list[str]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._seen = seen
        self._stack = stack

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        operator = find_operator(func._schema.name.replace("::", "."))
        if operator is not None and operator.rectifies and args[0].dim() >= 2:
            self._measure(args[0].detach())
        return func(*args, **(kwargs or {}))

    def _measure(self, values: Tensor) -> None:
        """Before the call: it may change its input in place."""
        unit = values.dim() - 1 if values.dim() == 3 else 1
        places = [axis for axis in range(values.dim()) if axis != unit]
        dead = (values.amax(dim=places) <= 0) & (values.amin(dim=places) < 0)
        path = self._stack[-1] if self._stack else ""
        self._seen.rectifiers.append(DeadUnits(path, float(dead.to(torch.float32).mean())))


@contextmanager
def watch_calls(module: nn.Module, watcher: Any) -> Iterator[None]:
    """Call `watcher.enter(path, part)` and `watcher.leave(path, part, inputs, output)` around every module's call."""
    handles = []
    try:
        for path, part in module.named_modules():
            handles.append(part.register_forward_pre_hook(_bind_enter(watcher, path)))
            handles.append(part.register_forward_hook(_bind_leave(watcher, path)))
        yield
    finally:
        for handle in handles:
            handle.remove()


def _bind_enter(watcher: Any, path: str) -> Callable[[nn.Module, Any], None]:
    return lambda part, inputs: watcher.enter(path, part)


def _bind_leave(watcher: Any, path: str) -> Callable[[nn.Module, Any, Any], None]:
    return lambda part, inputs, output: watcher.leave(path, part, inputs, output)
