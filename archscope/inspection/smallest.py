"""A forward pass that failed on a square image goes in; the smallest square that works comes out, found by trying."""

from collections.abc import Callable

LARGEST_TRIED = 2048


def find_smallest_square(works: Callable[[int], bool], failing: int, known_good: int | None = None) -> int | None:
    """The smallest side above `failing` at which `works` holds, or None where none up to 2048 does.

    Doubling finds a side that works (or `known_good` is one), halving the interval finds the border below it, and the
    answer has been tried, as has its predecessor.
    """
    good = known_good if known_good is not None and known_good > failing and works(known_good) else None
    probe = failing
    while good is None and probe < LARGEST_TRIED:
        probe = min(probe * 2, LARGEST_TRIED)
        good = probe if works(probe) else None
    if good is None:
        return None
    bad = failing
    while good - bad > 1:
        middle = (good + bad) // 2
        if works(middle):
            good = middle
        else:
            bad = middle
    return good
