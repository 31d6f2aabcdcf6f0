"""Is the first loss ln(classes), as it must be where no class is preferred?"""

from math import log

from torch.nn import functional

from archscope.core.finding import Finding
from archscope.training.checks.start import Start

LARGEST_RATIO = 2.5
"""Of the loss to ln(classes), once what is common to all images has been taken off the scores."""
LARGEST_EXCESS = 20.0
"""Of the loss above ln(classes). A common offset is learned away in a few steps: resnet1202 starts at 12.8, for its
activations grow along 600 residual sums, and trains."""


def check_loss_at_init(start: Start) -> list[Finding]:
    """A first loss that is no number, or too large."""
    classes = start.logits.shape[1]
    chance = log(classes) if classes > 1 else 1.0
    place = start.last_layer
    if not start.finite:
        first = next((layer.path for layer in start.seen.layers if not layer.output_rms < float("inf")), place)
        return [
            Finding(
                severity="error",
                code="loss-at-init",
                message=f"the first loss is {start.loss}; {first or 'the model'} is the first to give no finite number",
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
            message=f"the first loss is {start.loss:.3f}: the untrained model is sure of wrong classes",
            place=place,
            expected=f"about ln({classes}) = {chance:.3f}",
            measured=f"{start.loss:.3f}, scores of root mean square {rms:.3g}",
            remedy="the initial weights are too large, or the inputs are not normalised",
        )
    ]
