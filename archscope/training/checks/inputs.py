"""Do the images arrive at a sensible scale? Bytes from 0 to 255 that nobody normalised are found."""

from archscope.core.finding import Finding
from archscope.training.checks.start import Start

LARGEST_RMS = 20.0
SMALLEST_RMS = 0.02
"""Of what the first convolution or linear layer reads; normalised images have about 1, images from 0 to 1 about 0.5."""


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
            message=f"{first.path or 'the model'} reads values of root mean square {first.input_rms:.3g}: {cause}",
            place=first.path,
            expected=f"{SMALLEST_RMS:g} to {LARGEST_RMS:g}, about 1 when normalised",
            measured=f"{first.input_rms:.3g}",
            remedy="divide by 255, subtract the mean and divide by the standard deviation of each channel",
        )
    ]
