"""A shape `(N, C, H, W)` goes in; the papers' `HxWxC` comes out."""

from collections.abc import Sequence

from archscope.tables.wording import format_shape


def arrange_shape(shape: Sequence[int], *, channels_first: bool) -> str:
    """`(1, 96, 55, 55)` -> `55x55x96`; without the batch, and as it is where the channels are last already."""
    sizes = list(shape[1:]) if len(shape) > 1 else list(shape)
    if channels_first and len(sizes) > 1:
        sizes = [*sizes[1:], sizes[0]]
    return format_shape(sizes)
