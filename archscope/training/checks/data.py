"""Do the batch and the model fit: the scale of the images, the range of the labels, free scores, the first loss?"""

from math import log

import torch
from torch.nn import functional

from archscope.core.finding import Finding
from archscope.core.operators import find_operator
from archscope.training.checks.start import Start

LARGEST_RMS = 20.0
SMALLEST_RMS = 0.02
"""Of what the first convolution or linear layer reads; normalised images have about 1, images from 0 to 1 about 0.5."""
LARGEST_RATIO = 2.5
"""Of the loss to ln(classes), once what is common to all images has been taken off the scores."""
LARGEST_EXCESS = 20.0
"""Of the loss above ln(classes). A common offset disappears within a few steps: resnet1202 starts at 12.8, for its
activations grow along 600 residual sums, and trains."""
_CONSEQUENCES = {
    "softmax": "CrossEntropyLoss takes logits and applies log-softmax itself; applied twice, the loss cannot fall "
    "below ln(1 + (C - 1)/e), and gradients vanish",
    "ReLU": "negative scores are cut to 0, so wrong classes cannot be pushed below it and their gradient is lost",
}


def check_inputs(start: Start) -> list[Finding]:
    """The scale that the first weighted layer reads, so that a model which normalises by itself is left alone."""
    first = next((layer for layer in start.seen.layers if layer.weighted), None)
    if first is None or SMALLEST_RMS <= first.input_rms <= LARGEST_RMS:
        return []
    large = first.input_rms > LARGEST_RMS
    cause = (
        "images from 0 to 255 were not divided by 255 and normalised"
        if large
        else "images were divided twice, or are nearly black"
    )
    return [
        Finding(
            severity="error",
            code="input-scale",
            message=f"{first.path or 'the model'} reads values with a root mean square of {first.input_rms:.3g}: "
            f"{cause}",
            place=first.path,
            expected=f"{SMALLEST_RMS:g} to {LARGEST_RMS:g}, about 1 when normalised",
            measured=f"{first.input_rms:.3g}",
            remedy="divide by 255, subtract the mean and divide by the standard deviation of each channel",
        )
    ]


def check_outputs(start: Start) -> list[Finding]:
    """Scores that are not free logits, and labels without a score."""
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
                remedy=f"remove the {kind} from the end of forward"
                f" ({_CONSEQUENCES.get(kind, 'bounded scores keep the loss from falling to 0')})",
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
            message=f"labels run from {low} to {high}, but the model gives {classes} scores",
            place=start.last_layer,
            expected=f"0 to {classes - 1}",
            measured=f"{low} to {high}",
            remedy="count labels from 0, or give the last layer more outputs",
        )
    ]


def check_loss_at_init(start: Start) -> list[Finding]:
    """A first loss that is not finite, or far above ln(classes), which it is where no class is preferred."""
    classes = start.logits.shape[1]
    chance = log(classes) if classes > 1 else 1.0
    place = start.last_layer
    if not start.finite:
        first = next((layer.path for layer in start.seen.layers if not layer.output_rms < float("inf")), place)
        return [
            Finding(
                severity="error",
                code="loss-at-init",
                message=f"the first loss is {start.loss}: {first or 'the model'} gives the first values that are not "
                "finite",
                place=first,
                expected=f"ln({classes}) = {chance:.3f}",
                measured=str(start.loss),
                remedy="look there for a division by 0, a logarithm of 0, or weights so large that values overflow",
            )
        ]
    centred = start.logits - start.logits.mean(0)
    labels = start.labels.clamp(0, classes - 1)
    spread = float(functional.cross_entropy(centred, labels))
    if spread <= LARGEST_RATIO * chance + 0.5 and start.loss <= chance + LARGEST_EXCESS:
        return []
    rms = float(start.logits.square().mean().sqrt())
    return [
        Finding(
            severity="error",
            code="loss-at-init",
            message=f"the first loss is {start.loss:.3f}: the untrained model is confident in wrong classes",
            place=place,
            expected=f"about ln({classes}) = {chance:.3f}",
            measured=f"{start.loss:.3f}, scores with a root mean square of {rms:.3g}",
            remedy="the initial weights are too large, or the inputs are not normalised",
        )
    ]
