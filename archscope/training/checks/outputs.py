"""Are the scores free to take any value? Softmax, ReLU and their like before cross-entropy are found."""

import torch

from archscope.core.finding import Finding
from archscope.core.operators import find_operator
from archscope.training.checks.start import Start

_CONSEQUENCES = {
    "softmax": "CrossEntropyLoss takes logits and applies log-softmax itself; twice, the loss cannot fall below "
    "ln(1 + (C - 1)/e), and gradients vanish",
    "ReLU": "negative scores are cut to 0, so that wrong classes cannot be pushed below it, and their gradient is lost",
}


def check_outputs(start: Start) -> list[Finding]:
    """Scores that are no (free) logits, and labels that no score answers to."""
    found = _check_labels(start)
    kind = _find_bound(start)
    if kind:
        found.append(
            Finding(
                severity="error",
                code="bounded-scores",
                message=f"the scores pass through {kind} before the cross-entropy",
                place=start.last_layer,
                expected="logits: any real number",
                measured=_describe_scores(start),
                remedy=f"take the {kind} off the end of forward"
                f" ({_CONSEQUENCES.get(kind, 'bounded scores bound the loss from below')})",
            )
        )
    return found


def _find_bound(start: Start) -> str:
    known = find_operator(f"aten.{start.last_op}")
    if known is not None and known.bound:
        return known.bound
    scores = start.logits
    if not start.finite or scores.shape[1] < 2:
        return ""
    if bool((scores >= 0).all()) and torch.allclose(scores.sum(1), torch.ones(len(scores)), atol=1e-3):
        return "softmax"
    if bool((scores >= 0).all()) and 0.05 < float((scores == 0).float().mean()) < 1:
        return "ReLU"
    return ""


def _describe_scores(start: Start) -> str:
    return f"from {float(start.logits.min()):.3g} to {float(start.logits.max()):.3g}"


def _check_labels(start: Start) -> list[Finding]:
    classes = start.logits.shape[1]
    low, high = int(start.labels.min()), int(start.labels.max())
    if low >= 0 and high < classes:
        return []
    return [
        Finding(
            severity="error",
            code="label-range",
            message=f"labels run from {low} to {high}, the model has {classes} scores",
            place=start.last_layer,
            expected=f"0 to {classes - 1}",
            measured=f"{low} to {high}",
            remedy="count labels from 0, or give the last layer more outputs",
        )
    ]
