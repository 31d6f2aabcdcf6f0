"""Does eval mode give what training mode gave, once BatchNorm's running statistics are those of the batch?"""

from math import log

import torch

from archscope.core.finding import Finding
from archscope.training.checks.comparison import find_first_difference
from archscope.training.checks.start import Start
from archscope.training.checks.subject import Candidate, keep_dropout_off, list_batch_norms, recalibrate

LARGEST_RISE = 0.5
"""Of the loss from training to eval mode, as a share of ln(classes)."""


def check_running_statistics(start: Start) -> list[Finding]:
    """BatchNorms whose running statistics never move: eval mode would normalise by what they began with."""
    if not start.stuck_norms:
        return []
    first = start.stuck_norms[0]
    others = f", and {len(start.stuck_norms) - 1} more" if len(start.stuck_norms) > 1 else ""
    return [
        Finding(
            severity="error",
            code="batch-norm",
            message=f"the running statistics of {first} do not move in training mode{others}",
            place=first,
            expected="a running mean that follows the batches",
            measured="the running mean that it began with",
            remedy="its momentum is 0 (torch's own is 0.1), or something puts its buffers back",
        )
    ]


def check_batch_norm(subject: Candidate) -> list[Finding]:
    """Compare the batch's loss in both modes, dropout off, after recalibration."""
    if not list_batch_norms(subject.module):
        return []
    recalibrate(subject)

    def find_loss(training: str) -> float:
        with torch.no_grad(), keep_dropout_off(subject.module):
            if training == "eval":
                subject.module.eval()
            scores = subject.find_scores()
            return float(torch.nn.functional.cross_entropy(scores.logits, subject.labels))

    trained, evaluated = find_loss("train"), find_loss("eval")
    recalibrate(subject)
    allowed = LARGEST_RISE * log(max(subject.find_scores().logits.shape[1], 2))
    if evaluated - trained <= allowed:
        return []
    place = find_first_difference(
        subject.module, lambda: find_loss("train"), lambda: find_loss("eval"), rows=slice(None), tolerance=0.5
    )
    return [
        Finding(
            severity="error",
            code="batch-norm",
            message="eval mode forgets what training mode has learned, though BatchNorm's statistics were just taken "
            f"from the same images; the two part at {place or 'no single layer'}",
            place=place,
            expected=f"a loss near {trained:.3f}",
            measured=f"{evaluated:.3f} in eval mode",
            remedy="look for a BatchNorm that is called on different things in one pass, and for what forward does "
            "differently under self.training",
        )
    ]
