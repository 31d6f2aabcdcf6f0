"""A subject goes in; what its step needs by the trace, and the batch that should fit, come out: guesses to check."""

import torch
from torch import nn

from archscope.benchmarking.preparation import BenchTarget, rebatch
from archscope.core.errors import ArchscopeError
from archscope.targets.inputs import make_arguments
from archscope.tracing.modes import Inputs

OPTIMIZER = "momentum"
"""Of the step that is timed: SGD with momentum."""
FIRST_GUESS = 32
"""Where nothing can be predicted."""


def predict_peak(subject: BenchTarget, batch: int) -> int | None:
    """Bytes at the peak; None where the model cannot be predicted."""
    from archscope.memory.predict import predict_memory

    target = subject.target

    def make_inputs(module: nn.Module, device: torch.device) -> Inputs:
        return make_arguments(target, module, rebatch(target, module, subject.specs, batch), device)

    if target.is_instance:
        return None
    try:
        return predict_memory(target.build, make_inputs, train=subject.training, optimizer=OPTIMIZER).peak_bytes
    except ArchscopeError:
        return None


def predict_batch(subject: BenchTarget, free_bytes: int) -> int:
    """The batch whose peak is all of `free_bytes`, on the line through two small ones."""
    small, large = 2, 8
    low, high = predict_peak(subject, small), predict_peak(subject, large)
    if low is None or high is None or high <= low:
        return FIRST_GUESS
    per_item = (high - low) / (large - small)
    return max(1, int(small + (free_bytes - low) / per_item))
