"""An optimizer for trials that needs no tuning: Adam with the step of each weight divided by its fan-in.

Each step then changes what a layer puts out by a bounded share, however wide it is (Yang et al. 2022), so that one
batch is learned in about fifteen steps by a VGG-19 without BatchNorm and by a ResNet-110 alike.
"""

import torch
from torch import nn

from archscope.training.checks.subject import Candidate

SHARE = 0.2
VECTOR_RATE = 5e-3
"""For biases and normalisation scales."""


def make_trial_optimizer(subject: Candidate, slowed: float = 1.0) -> torch.optim.Optimizer | None:
    """Over the parameters that the subject's optimizer holds; None where it holds none."""
    groups = [
        {"params": [parameter], "lr": _find_rate(parameter) * slowed} for parameter in subject.list_trained().values()
    ]
    if not groups:
        return None
    devices = {parameter.device.type for parameter in subject.list_trained().values()}
    plain = all(parameter.dtype.is_floating_point for parameter in subject.list_trained().values())
    fused = plain and devices <= {"cpu", "cuda"}  # large linear layers take most of a step otherwise
    return torch.optim.Adam(groups, betas=(0.9, 0.99), eps=1e-10, fused=fused)


def _find_rate(parameter: nn.Parameter) -> float:
    return SHARE / parameter[0].numel() if parameter.dim() > 1 else VECTOR_RATE
