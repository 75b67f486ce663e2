"""Relative mean corruption error: what corruptions add to the clean error, as a multiple of what they add to a reference's.

"Benchmarking Neural Network Robustness to Common Corruptions and Perturbations" (P095), section 4: it tells a network that
loses little under corruption from one that is merely better on clean images. As a share; the paper prints percent.
"""

from typing import Annotated

from annotated_types import Gt
from torch import Tensor

from assay.metrics._numbers import numbers_only


@numbers_only
def relative_mce(
    errors: Tensor, clean: float, reference: Tensor, reference_clean: float, *, least: Annotated[float, Gt(0)] = 1e-12
) -> float:
    """Mean over corruptions c of sum_s (errors[c, s] - clean) / sum_s (reference[c, s] - reference_clean), for errors (C, S).

    least: what the reference is taken to lose, summed over severities, where it loses less or gains.
    """
    return ((errors - clean).sum(1) / (reference - reference_clean).sum(1).clamp_min(least)).mean().item()
