"""Does the same seed give the same loss?"""

import torch

from archscope.core.finding import Finding
from archscope.training.checks.subject import Candidate
from archscope.training.trainer import seed_generators


def check_repeatability(subject: Candidate) -> list[Finding]:
    """Two passes in training mode under one seed; buffers are put back, random states are not."""
    buffers = {name: buffer.clone() for name, buffer in subject.module.named_buffers()}
    losses = []
    for _ in range(2):
        seed_generators(20_09)
        subject.module.train()
        with torch.no_grad():
            losses.append(float(subject.find_loss()))
            for name, buffer in subject.module.named_buffers():
                buffer.copy_(buffers[name])
    first, second = losses
    if not abs(first - second) > 1e-5 * max(1.0, abs(first)):
        return []
    return [
        Finding(
            severity="error",
            code="not-repeatable",
            message="two passes under the same seed give different losses",
            place=_find_drawing_layer(subject),
            expected=f"{first:.7g} twice",
            measured=f"{first:.7g} and {second:.7g}",
            remedy="draw random numbers from torch (or from the global random and numpy.random), and keep no state "
            "between calls of forward",
        )
    ]


def _find_drawing_layer(subject: Candidate) -> str:
    """The first layer whose output differs between two passes under one seed."""
    from archscope.training.checks.comparison import find_first_difference

    def run() -> None:
        seed_generators(20_09)
        with torch.no_grad():
            subject.run()

    return find_first_difference(subject.module, run, run, rows=slice(None))
