"""The first forward pass in training mode, without dropout: each layer's scale, the scores, the loss."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from archscope.core.operators import find_operator
from archscope.tracing.calls import observe_calls
from archscope.tracing.observer import ModuleCall, OperationObserver
from archscope.training.checks.candidate import Candidate, keep_dropout_off, list_batch_norms
from archscope.training.evaluation import HEAD_WEIGHT, read_scores

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


@dataclass(frozen=True, slots=True)
class Start:
    """What the untrained model did with the batch."""

    seen: Observations
    logits: Tensor
    """(N, classes), float32, on the CPU."""
    labels: Tensor
    """(N,), on the CPU."""
    last_op: str
    """Name of the operation that made the scores: `softmax`, `relu`, `addmm`, ...; empty where there is none."""
    loss: float
    stuck_norms: tuple[str, ...]
    """BatchNorms that ran in training mode and whose running mean stayed what it was."""

    @property
    def last_layer(self) -> str:
        """The path of the layer that was called last."""
        return self.seen.layers[-1].path if self.seen.layers else ""

    @property
    def finite(self) -> bool:
        """Whether the loss is a number."""
        return bool(torch.isfinite(torch.tensor(self.loss)))


def observe_start(candidate: Candidate) -> Start:
    """Run the batch once; BatchNorm's running statistics move. Raises ModelError where forward raises."""
    norms = list_batch_norms(candidate.module)
    with keep_dropout_off(candidate.module):
        before = {path: _copy(norm.running_mean) for path, norm in norms.items() if norm.training}
        seen, output = observe_scales(candidate.module, candidate.run)
    scores = read_scores(output, len(candidate.images))
    called = {layer.path for layer in seen.layers}
    stuck = [
        path
        for path, mean in before.items()
        if path in called and mean is not None and torch.equal(mean, norms[path].running_mean)  # type: ignore[arg-type]
    ]
    in_range = candidate.labels.clamp(0, scores.logits.shape[1] - 1)
    return Start(
        seen=seen,
        logits=scores.logits.detach().float().cpu(),
        labels=candidate.labels.cpu(),
        last_op=next(_walk_ops(scores.logits), ""),
        loss=float(scores.find_loss(in_range).detach()) / (1 + HEAD_WEIGHT * len(scores.heads)),
        stuck_norms=tuple(stuck),
    )


def _copy(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else tensor.detach().clone()


_PASSED = ("View", "Reshape", "Unsafe", "Squeeze", "Flatten", "Alias", "Clone", "ToCopy", "Slice")
"""Beginnings of operations that only rearrange."""


def _walk_ops(scores: Tensor) -> Iterator[str]:
    """Names of the operations that made `scores`, the last first, without those that only rearrange."""
    node = scores.grad_fn
    while node is not None:
        name = node.name().removeprefix("torch::autograd::").rstrip("0123456789").removesuffix("Backward")
        if not name.startswith(_PASSED):
            yield name.casefold()
        node = node.next_functions[0][0] if node.next_functions else None


def observe_scales(module: nn.Module, run: Callable[[], Any]) -> tuple[Observations, Any]:
    """Run `run`, which calls `module`, and measure on the way; what it returned comes second."""
    observer = _ScaleObserver(module)
    with observer, observe_calls(observer):
        result = run()
    return observer.seen, result


@dataclass(slots=True, eq=False)
class _MeasuredCall(ModuleCall):
    first_input: Any = None


class _ScaleObserver(OperationObserver[_MeasuredCall]):  # type: ignore[no-untyped-call]
    """Measures each layer without children, and every ReLU, whether it was a module or a function."""

    call_type = _MeasuredCall

    def __init__(self, root: nn.Module) -> None:
        super().__init__(root)
        self.seen = Observations()

    def on_call(self, call: _MeasuredCall, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Keep the first input until the layer has returned."""
        call.first_input = next(iter((*args, *kwargs.values())), None)

    def on_return(self, call: _MeasuredCall, output: Any) -> None:
        """Measure what went in and what came out."""
        part = call.module
        if not call.is_layer or not isinstance(output, Tensor):
            return
        weighted = isinstance(part, WEIGHTED)
        self.seen.layers.append(
            LayerScale(
                path=call.place.path,
                type=type(part).__name__,
                weighted=weighted,
                input_rms=_find_rms(call.first_input),
                output_rms=_find_rms(output),
                input_signal=_find_signal(call.first_input),
                output_signal=_find_signal(output),
                gain=_find_gain(part) if weighted else None,
            )
        )

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Measure before the operation runs: it may change its input in place."""
        operator = find_operator(func._schema.name.replace("::", "."))
        if operator is not None and operator.rectifies and args[0].dim() >= 2:
            self._measure_rectifier(args[0].detach())
        return func(*args, **(kwargs or {}))

    def _measure_rectifier(self, values: Tensor) -> None:
        unit = values.dim() - 1 if values.dim() == 3 else 1
        places = [axis for axis in range(values.dim()) if axis != unit]
        dead = (values.amax(dim=places) <= 0) & (values.amin(dim=places) < 0)
        path = "" if self.innermost is None else self.innermost.place.path
        self.seen.rectifiers.append(DeadUnits(path, float(dead.to(torch.float32).mean())))


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
