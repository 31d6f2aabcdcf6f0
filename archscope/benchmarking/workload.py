"""A module and its inputs go in; a step whose phases can be timed comes out."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from archscope.benchmarking.clock import Mark
from archscope.benchmarking.precision import autocast, use_precision
from archscope.core.documents.bench import Dtype
from archscope.core.errors import ModelError
from archscope.tracing.structure import iterate_tensors
from archscope.training.scores import read_scores

FORWARD, BACKWARD, OPTIMIZER = "forward", "backward", "optimizer"
RATE = 1e-6
"""So small that weights stay what they are, however often they are stepped."""
MOMENTUM = 0.9


class Workload(Protocol):
    """What is timed."""

    @property
    def phases(self) -> tuple[str, ...]:
        """Names of the phases, in order."""

    def run(self, mark: Callable[[], Mark]) -> list[Mark]:
        """One step: a mark at the start, and one after each phase."""


class ModelWorkload:
    """Forward, backward and the step of SGD with momentum; in inference forward only."""

    def __init__(self, module: nn.Module, inputs: tuple[tuple[Any, ...], Mapping[str, Any]], dtype: Dtype) -> None:
        self.module = module
        self.inputs = inputs
        self.dtype: Dtype = dtype
        self.device = find_module_device(module, inputs)
        trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.SGD(trained, lr=RATE, momentum=MOMENTUM) if trained else None
        self._call: Callable[..., Any] = module

    @property
    def phases(self) -> tuple[str, ...]:
        """All three while the module trains."""
        return (FORWARD, BACKWARD, OPTIMIZER) if self.module.training else (FORWARD,)

    def compile(self) -> None:
        """Go through `torch.compile` from now on."""
        self._call = torch.compile(self.module)

    def run(self, mark: Callable[[], Mark]) -> list[Mark]:
        """One step. The gradients are dropped at its end; the loss belongs to forward."""
        with use_precision(self.device, self.dtype):
            return self._train(mark) if self.module.training else self._infer(mark)

    def _infer(self, mark: Callable[[], Mark]) -> list[Mark]:
        args, kwargs = self.inputs
        with torch.inference_mode():
            start = mark()
            with autocast(self.device, self.dtype):
                self._call(*args, **kwargs)
            return [start, mark()]

    def _train(self, mark: Callable[[], Mark]) -> list[Mark]:
        args, kwargs = self.inputs
        marks = [mark()]
        with autocast(self.device, self.dtype):
            loss = find_loss(self._call(*args, **kwargs))
        marks.append(mark())
        loss.backward()  # type: ignore[no-untyped-call]
        marks.append(mark())
        if self.optimizer is not None:
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)
        marks.append(mark())
        return marks


def find_loss(output: Any) -> Tensor:
    """Cross-entropy against class 0 where the output is class scores; else the mean square of what it returned.

    Raises ModelError where nothing in the output needs a gradient.
    """
    lone = output if isinstance(output, Tensor) else getattr(output, "logits", None)
    if isinstance(lone, Tensor) and lone.dim() == 2 and lone.requires_grad:
        labels = torch.zeros(len(lone), dtype=torch.int64, device=lone.device)
        return read_scores(output, len(lone)).find_loss(labels)
    tensors = [tensor for _, tensor in iterate_tensors(output) if tensor.requires_grad]
    if not tensors:
        raise ModelError("nothing that forward returned can be trained on", "--inference times forward alone")
    losses = [tensor.abs().float().square().mean() for tensor in tensors]
    return torch.stack(losses).sum()


def find_module_device(module: nn.Module, inputs: tuple[tuple[Any, ...], Mapping[str, Any]]) -> torch.device:
    """Where the module's parameters are, else where its inputs are, else the CPU."""
    for tensor in (*module.parameters(), *module.buffers(), *(found for _, found in iterate_tensors(inputs))):
        return tensor.device
    return torch.device("cpu")
