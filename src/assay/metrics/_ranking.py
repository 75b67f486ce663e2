"""The rule for ties, wherever something is ranked: of equal values the first in position ranks higher.

PyTorch's `argmax` keeps to it; `argsort` does so if asked to be stable, and `topk` never promises to.
"""

from torch import Tensor


def largest_first(values: Tensor) -> Tensor:
    """Positions along the last axis in the order of their values, the largest first, of equal ones the first."""
    return values.argsort(dim=-1, descending=True, stable=True)
