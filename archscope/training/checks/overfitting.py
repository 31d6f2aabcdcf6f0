"""Can one batch be learned by heart? A model that cannot do that will learn nothing else."""

import math
import time
from collections.abc import Sequence

from torch import Tensor

from archscope.core.finding import Finding
from archscope.training.checks.layers import WEIGHTED
from archscope.training.checks.subject import Candidate, keep_dropout_off
from archscope.training.checks.trial import make_trial_optimizer

GOAL = 0.1
MOST_STEPS = 150
FALLING = 0.97
"""The best loss of the last third, against the best before it, where it still falls."""
ENOUGH_STEPS = 60
"""What is needed to say that the loss has stopped falling."""


def check_overfitting(subject: Candidate) -> tuple[list[Finding], bool]:
    """Train on the batch until its loss is below 0.1, 150 steps at most; second, whether that was reached.

    The subject keeps what it learned. A loss that still falls at the end is slow, not wrong.
    """
    before = {name: parameter.detach().clone() for name, parameter in subject.list_trained().items()}
    losses = _train(subject, 1.0)
    if losses and not math.isfinite(losses[-1]):
        for name, parameter in subject.list_trained().items():
            parameter.data.copy_(before[name])
        losses = _train(subject, 0.1)
    if losses and losses[-1] < GOAL:
        return [], True
    return [_judge(subject, losses, before)], False


def _train(subject: Candidate, slowed: float) -> list[float]:
    """The loss before each step, and at the end."""
    optimizer = make_trial_optimizer(subject, slowed)
    losses: list[float] = []
    if optimizer is None:
        return losses
    deadline = time.monotonic() + subject.seconds
    with keep_dropout_off(subject.module):
        while True:
            loss = subject.find_loss()
            losses.append(float(loss.detach()))
            done = losses[-1] < GOAL or not math.isfinite(losses[-1]) or len(losses) > MOST_STEPS
            if done or time.monotonic() > deadline:
                return losses
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()


def _judge(subject: Candidate, losses: Sequence[float], before: dict[str, Tensor]) -> Finding:
    steps = max(len(losses) - 1, 0)
    count = len(subject.images)
    measured = f"{losses[-1]:.3f} after {steps} steps, from {losses[0]:.3f}" if losses else "nothing to train"
    if _still_falls(losses):
        return Finding(
            severity="note",
            code="slow-overfitting",
            message=f"one batch of {count} is learned slowly: its loss is {losses[-1]:.3f} after {steps} steps",
            expected=f"below {GOAL} within {MOST_STEPS} steps",
            measured=measured,
        )
    place = _find_stillest(subject, before)
    return Finding(
        severity="error",
        code="cannot-overfit",
        message=f"one batch of {count} images cannot be learned by heart: the loss stays at {losses[-1]:.3f}"
        if losses
        else "no parameter can be trained",
        place=place,
        expected=f"below {GOAL} within {MOST_STEPS} steps",
        measured=measured,
        remedy=f"the weights of {place or 'the model'} moved least; look there for a part that loses what tells the "
        "images apart, for scores that are bounded, and for labels that belong to other images",
    )


def _still_falls(losses: Sequence[float]) -> bool:
    if len(losses) <= ENOUGH_STEPS:
        return bool(losses) and math.isfinite(losses[-1])
    border = len(losses) * 2 // 3
    return min(losses[border:]) < FALLING * min(losses[:border])


def _find_stillest(subject: Candidate, before: dict[str, Tensor]) -> str:
    """The convolution or linear layer whose weights changed least, for their size."""
    least, place = math.inf, ""
    for path, part in subject.module.named_modules():
        name = f"{path}.weight" if path else "weight"
        if not isinstance(part, WEIGHTED) or name not in before or not isinstance(part.weight, Tensor):
            continue
        change = float((part.weight.detach() - before[name]).norm()) / (float(before[name].norm()) + 1e-12)
        if change < least:
            least, place = change, path
    return place
