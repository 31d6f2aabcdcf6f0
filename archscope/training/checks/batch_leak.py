"""Does an image's score depend on the other images of the batch? In eval mode it must not."""

import torch

from archscope.core.finding import Finding
from archscope.training.checks.comparison import differs, find_first_difference
from archscope.training.checks.subject import Candidate, recalibrate
from archscope.training.evaluation import read_scores, run_model
from archscope.training.trainer import seed_generators

TOLERANCE = 1e-4


def check_batch_leak(subject: Candidate) -> list[Finding]:
    """Change all images but the first, and compare the first one's scores; BatchNorm is recalibrated before."""
    if len(subject.images) < 2:
        return []
    recalibrate(subject)
    noise = torch.randn(subject.images.shape, generator=torch.Generator().manual_seed(1)).to(subject.images)
    changed = noise * subject.images.std() + subject.images.mean()
    changed[0] = subject.images[0]

    def run(images: torch.Tensor) -> torch.Tensor:
        seed_generators(20_09)
        subject.module.eval()
        with torch.no_grad():
            return read_scores(run_model(lambda: subject.module(images)), len(images)).logits

    before, after = run(subject.images)[0], run(changed)[0]
    if not differs(before, after, TOLERANCE):
        return []
    place = find_first_difference(
        subject.module, lambda: run(subject.images), lambda: run(changed), rows=slice(0, 1), tolerance=TOLERANCE
    )
    return [
        Finding(
            severity="error",
            code="batch-leak",
            message="the scores of one image depend on the other images of the batch, in eval mode; they mix in "
            f"{place or 'forward'} or right before it",
            place=place,
            expected="the same scores whatever else is in the batch",
            measured=f"scores that differ by {float((before - after).abs().max()):.3g}",
            remedy=_advise(subject, place),
        )
    ]


def _advise(subject: Candidate, place: str) -> str:
    part = subject.module.get_submodule(place) if place else subject.module
    if "BatchNorm" in type(part).__name__:
        return "it normalises by the batch in eval mode: let it track running statistics"
    return "look for a view or reshape that moves the batch dimension, or a mean, softmax or normalisation over it"
