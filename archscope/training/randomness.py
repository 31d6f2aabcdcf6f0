"""One seed goes in; every generator that a model may draw from starts from it."""

import random
import sys

import torch


def seed_generators(seed: int) -> None:
    """Seed torch (all devices), Python and, where it is loaded, NumPy. `seed` is from 0 to 2^63 - 1."""
    torch.manual_seed(seed)
    random.seed(seed)
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed(seed % 2**32)
