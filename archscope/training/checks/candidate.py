"""What is checked: a copy of a model with a batch, and the modes in which the checks run it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from archscope.modules import iterate_modules, keep_training_flags, name_modules, name_parameters, set_training
from archscope.training.evaluation import Scores, read_scores, run_model


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model under check; the module is ours to change, and every check changes it."""

    module: nn.Module
    images: Tensor
    """(N, ...), floating point, on the module's device."""
    labels: Tensor
    """(N,), int64."""
    optimised: frozenset[str] | None = None
    """Names of the parameters that the optimizer holds; None: all that require gradients."""
    seconds: float = 60.0
    """How long memorising the batch may take."""

    def run(self) -> Any:
        """What forward returns for the batch. Raises ModelError where forward raises."""
        return run_model(lambda: self.module(self.images))

    def find_scores(self) -> Scores:
        """The scores of the batch. Raises ModelError."""
        return read_scores(self.run(), len(self.images))

    def find_loss(self) -> Tensor:
        """Mean cross-entropy of the batch, heads included. Raises ModelError."""
        return self.find_scores().find_loss(self.labels)

    def list_trained(self) -> dict[str, nn.Parameter]:
        """The parameters that the optimizer changes, by name; each tensor once."""
        return {
            name: parameter
            for name, parameter in name_parameters(self.module)
            if parameter.requires_grad and (self.optimised is None or name in self.optimised)
        }


@contextmanager
def keep_dropout_off(module: nn.Module) -> Iterator[None]:
    """Every part in training mode but dropout; the flags are put back afterwards."""
    with keep_training_flags(module):
        set_training(module)
        for part in iterate_modules(module):
            if isinstance(part, _DropoutNd):
                set_training(part, False)
        yield


def list_batch_norms(module: nn.Module) -> dict[str, _BatchNorm]:
    """The layers that keep running statistics, by path."""
    return {
        path: part
        for path, part in name_modules(module)
        if isinstance(part, _BatchNorm) and part.running_mean is not None
    }


def recalibrate(candidate: Candidate) -> None:
    """Make the running statistics of every BatchNorm those of the batch."""
    norms = list_batch_norms(candidate.module).values()
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
    try:
        with torch.no_grad(), keep_dropout_off(candidate.module):
            candidate.run()
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
