"""A first guess and a way to try a batch go in; the largest batch that fits comes out."""

from collections.abc import Callable

TOLERANCE = 0.05
"""The true largest batch is at most this much larger than what is found."""
LARGEST = 1 << 20


def find_largest_batch(fits: Callable[[int], bool], guess: int) -> int:
    """Try `guess`, go up or down by halves and doubles, then close in to 5 %. 0 where not even 1 fits."""
    low, high = 0, None
    batch = max(1, guess)
    while high is None or (high - low > 1 and high > low * (1 + TOLERANCE)):
        if fits(batch):
            low = batch
            if low >= LARGEST:
                return low
        else:
            high = batch
        if high is None:
            batch = min(LARGEST, max(low + 1, int(low * 1.1) if low == guess else low * 2))
        elif low == 0:
            batch = high // 2
            if batch == 0:
                return 0
        else:
            batch = (low + high) // 2
    return low
