"""What the layers did in the first pass: the scale of the activations, dead ReLUs, running statistics."""

from collections.abc import Sequence

from archscope.core.finding import Finding
from archscope.training.checks.start import LayerScale, Start

SMALLEST, LARGEST = 1e-5, 1e3
"""Against the root mean square of what the first layer reads: the least of what differs between images in a layer's
output, and the most of the output. Of the built-in models alexnet_2012 has the least, 2e-4."""
SMALLEST_GAIN, LARGEST_GAIN = 0.02, 12.0
"""Root mean square of the weights times the root of the fan-in: 1.41 in He's, 0.58 in torch's own, from 0.12 to 2.83 in
the built-in models."""
MOST_DEAD = 0.9
"""Share of a rectifier's units. Deep networks without BatchNorm start with up to a half: their images look alike."""


def check_activations(start: Start) -> list[Finding]:
    """Layers whose output vanishes or explodes, weights of an impossible scale, and dead rectifiers."""
    weighted = [layer for layer in start.seen.layers if layer.weighted]
    return [*_check_gain(weighted), *_check_scale(weighted), *_check_rectifiers(start)]


def check_running_statistics(start: Start) -> list[Finding]:
    """BatchNorms whose running statistics never move: eval mode would normalise by what they began with."""
    if not start.stuck_norms:
        return []
    first = start.stuck_norms[0]
    others = f" (and {len(start.stuck_norms) - 1} more)" if len(start.stuck_norms) > 1 else ""
    return [
        Finding(
            severity="error",
            code="batch-norm",
            message=f"the running statistics of {first} are not updated in training mode{others}",
            place=first,
            expected="a running mean that follows the batches",
            measured="the running mean that it began with",
            remedy="its momentum is 0 (torch's own is 0.1), or something puts its buffers back",
        )
    ]


def _check_gain(layers: Sequence[LayerScale]) -> list[Finding]:
    wrong = [layer for layer in layers if layer.gain is not None and not SMALLEST_GAIN <= layer.gain <= LARGEST_GAIN]
    if not wrong:
        return []
    first = wrong[0]
    assert first.gain is not None
    word = "large" if first.gain > LARGEST_GAIN else "small"
    return [
        Finding(
            severity="error",
            code="init-scale",
            message=f"the initial weights of {_name(first)} are too {word}{_count_others(wrong)}",
            place=first.path,
            expected="weights whose root mean square times the root of the fan-in is 1.41 (He), 0.58 (torch's own)",
            measured=f"{first.gain:.3g}",
            remedy="initialise it with torch.nn.init.kaiming_normal_",
        )
    ]


def _check_scale(layers: Sequence[LayerScale]) -> list[Finding]:
    reference = layers[0].input_rms if layers else 0.0
    if not reference:
        return []
    exploding = [layer for layer in layers if layer.output_rms > LARGEST * reference]
    vanishing = _find_vanishing(layers, reference)
    if not (exploding or vanishing):
        return []
    first = (exploding or vanishing)[0]
    measured = first.output_rms if exploding else first.output_signal
    return [
        Finding(
            severity="error",
            code="activation-scale",
            message=f"the activations explode: {measured:.3g} after {_name(first)}{_count_others(exploding)}"
            if exploding
            else f"the activations vanish: after {_name(first)} they differ by {measured:.3g} between images",
            place=first.path,
            expected=f"from {SMALLEST:g} to {LARGEST:g} times the scale of the first layer's input, {reference:.3g}",
            measured=f"{measured:.3g}",
            remedy=f"the initial weights up to there are too {'large' if exploding else 'small'}: use "
            "torch.nn.init.kaiming_normal_, or BatchNorm",
        )
    ]


def _find_vanishing(layers: Sequence[LayerScale], reference: float) -> list[LayerScale]:
    """The layers that lose what differs between the images, where little of it arrives at the end.

    A branch that starts at zero, or an attention that starts even, loses it too; the sum around it does not.
    """
    least = SMALLEST * reference
    last = layers[-1]
    arriving = last.output_signal if last.gain is not None else last.input_signal
    if arriving >= least or layers[0].input_signal < least:
        return []
    lost = [layer for layer in layers if layer.gain is not None and layer.output_signal < least <= layer.input_signal]
    return lost or [last]


def _check_rectifiers(start: Start) -> list[Finding]:
    dead = [unit for unit in start.seen.rectifiers if unit.share >= MOST_DEAD]
    if not dead:
        return []
    first = dead[0]
    before = _find_before(start, first.path)
    others = f" (and {len(dead) - 1} more ReLU{'s' * (len(dead) > 2)})" if len(dead) > 1 else ""
    return [
        Finding(
            severity="error",
            code="dead-relu",
            message=f"the ReLU {first.path or 'in forward'} is dead: {first.share:.0%} of its units are 0{others}",
            place=first.path,
            expected=f"less than {MOST_DEAD:.0%} dead units",
            measured=f"{first.share:.0%}",
            remedy=f"look at the bias and weights of {before or 'the layer before it'}: its output is negative, so no "
            "gradient passes",
        )
    ]


def _find_before(start: Start, path: str) -> str:
    """The last weighted or normalising layer that was called before the layer `path`."""
    before = ""
    for layer in start.seen.layers:
        if layer.path == path:
            break
        before = layer.path if layer.gain is not None or "Norm" in layer.type else before
    return before


def _name(layer: LayerScale) -> str:
    return f"{layer.path} ({layer.type})" if layer.path else layer.type


def _count_others(layers: Sequence[LayerScale]) -> str:
    return f" (and {len(layers) - 1} more layer{'s' * (len(layers) > 2)})" if len(layers) > 1 else ""


def _count_more(count: int, noun: str) -> str:
    """` (and 2 more layers)`; nothing where there is no other."""
    return f" (and {count} more {noun}{'s' * (count > 1)})" if count > 0 else ""
