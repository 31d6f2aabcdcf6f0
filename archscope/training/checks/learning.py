"""Can one batch be memorised? A model that cannot do that will learn nothing else.

The optimizer for it needs no tuning: Adam with the step of each weight divided by its fan-in. Each step then changes a
layer's output by a bounded share, however wide it is (Yang et al. 2022), so that one batch is learned in about fifteen
steps by a VGG-19 without BatchNorm and by a ResNet-110 alike.
"""

import math
import time
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from archscope.core.finding import Finding
from archscope.core.progress import show_stage
from archscope.modules import name_modules
from archscope.training.checks.candidate import Candidate, keep_dropout_off
from archscope.training.checks.start import WEIGHTED
from archscope.training.evaluation import run_model

SHARE = 0.2
VECTOR_RATE = 5e-3
"""For biases and normalisation scales."""
GOAL = 0.1
MOST_STEPS = 150
FALLING = 0.97
"""The best loss of the last third, against the best before it, where it still falls."""
ENOUGH_STEPS = 60
"""What is needed to say that the loss has stopped falling."""


def make_trial_optimizer(candidate: Candidate, slowed: float = 1.0) -> torch.optim.Optimizer | None:
    """Over the parameters that the candidate's optimizer holds; None where it holds none."""
    groups = [
        {"params": [parameter], "lr": _find_rate(parameter) * slowed} for parameter in candidate.list_trained().values()
    ]
    if not groups:
        return None
    devices = {parameter.device.type for parameter in candidate.list_trained().values()}
    plain = all(parameter.dtype.is_floating_point for parameter in candidate.list_trained().values())
    fused = plain and devices <= {"cpu", "cuda"}  # large linear layers take most of a step otherwise
    return torch.optim.Adam(groups, betas=(0.9, 0.99), eps=1e-10, fused=fused)


def _find_rate(parameter: nn.Parameter) -> float:
    return SHARE / parameter[0].numel() if parameter.dim() > 1 else VECTOR_RATE


def check_overfitting(candidate: Candidate) -> tuple[list[Finding], bool]:
    """Train on the batch until its loss is below 0.1, 150 steps at most; second, whether that was reached.

    The candidate keeps what it learned. A loss that still falls at the end is slow, not wrong.
    """
    before = {name: parameter.detach().clone() for name, parameter in candidate.list_trained().items()}
    losses = _train(candidate, 1.0)
    if losses and not math.isfinite(losses[-1]):
        for name, parameter in candidate.list_trained().items():
            parameter.data.copy_(before[name])
        losses = _train(candidate, 0.1)
    if losses and losses[-1] < GOAL:
        return [], True
    return [_judge(candidate, losses, before)], False


def _train(candidate: Candidate, slowed: float) -> list[float]:
    """The loss before each step, and at the end."""
    optimizer = make_trial_optimizer(candidate, slowed)
    losses: list[float] = []
    if optimizer is None:
        return losses
    deadline = time.monotonic() + candidate.seconds
    told = show_stage("memorising one batch", MOST_STEPS, "steps")
    with keep_dropout_off(candidate.module), told as stage:
        while True:
            loss = candidate.find_loss()
            losses.append(float(loss.detach()))
            stage.done, stage.detail = len(losses) - 1, f"loss {losses[-1]:.3f}, to be below {GOAL}"
            done = losses[-1] < GOAL or not math.isfinite(losses[-1]) or len(losses) > MOST_STEPS
            if done or time.monotonic() > deadline:
                return losses
            optimizer.zero_grad(set_to_none=True)
            run_model(loss.backward)
            optimizer.step()


def _judge(candidate: Candidate, losses: Sequence[float], before: dict[str, Tensor]) -> Finding:
    steps = max(len(losses) - 1, 0)
    count = len(candidate.images)
    measured = f"{losses[-1]:.3f} after {steps} steps, from {losses[0]:.3f}" if losses else "nothing to train"
    if _still_falls(losses):
        return Finding(
            severity="note",
            code="slow-overfitting",
            message=f"one batch of {count} images is learned slowly: its loss is {losses[-1]:.3f} after {steps} steps",
            expected=f"below {GOAL} within {MOST_STEPS} steps",
            measured=measured,
        )
    place = _find_stillest(candidate, before)
    return Finding(
        severity="error",
        code="cannot-overfit",
        message=f"one batch of {count} images cannot be memorised: the loss stays at {losses[-1]:.3f}"
        if losses
        else "no parameter can be trained",
        place=place,
        expected=f"below {GOAL} within {MOST_STEPS} steps",
        measured=measured,
        remedy=f"the weights of {place or 'the model'} changed least: look there for a part that discards what "
        "distinguishes the images, for bounded scores, and for labels that belong to other images",
    )


def _still_falls(losses: Sequence[float]) -> bool:
    if len(losses) <= ENOUGH_STEPS:
        return bool(losses) and math.isfinite(losses[-1])
    border = len(losses) * 2 // 3
    return min(losses[border:]) < FALLING * min(losses[:border])


def _find_stillest(candidate: Candidate, before: dict[str, Tensor]) -> str:
    """The convolution or linear layer whose weights changed least, for their size."""
    least, place = math.inf, ""
    for path, part in name_modules(candidate.module):
        name = f"{path}.weight" if path else "weight"
        if not isinstance(part, WEIGHTED) or name not in before or not isinstance(part.weight, Tensor):
            continue
        change = float((part.weight.detach() - before[name]).norm()) / (float(before[name].norm()) + 1e-12)
        if change < least:
            least, place = change, path
    return place
