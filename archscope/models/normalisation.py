"""Local response normalisation as the papers of 2012 to 2014 use it."""

from torch import nn


def build_response_norm() -> nn.LocalResponseNorm:
    """Krizhevsky et al. 2012, section 3.3: k=2, n=5, alpha=1e-4, beta=0.75; shapes are kept.

    torch divides alpha by n, the paper does not, so 5 * 1e-4 is passed.
    """
    return nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0)
