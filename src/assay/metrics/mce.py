"""Mean corruption error: errors on corrupted images as a multiple of a reference network's, averaged over corruptions.

"Benchmarking Neural Network Robustness to Common Corruptions and Perturbations" (P095), section 4: for each corruption, the
error summed over severities is divided by the reference's (AlexNet's in the paper), so that hard corruptions do not outweigh
easy ones. As a share; the paper prints percent.
"""

from typing import Annotated

from annotated_types import Gt
from torch import Tensor

from assay.metrics._numbers import numbers_only


@numbers_only
def mce(errors: Tensor, reference: Tensor, *, least: Annotated[float, Gt(0)] = 1e-12) -> float:
    """Mean over corruptions c of sum_s errors[c, s] / sum_s reference[c, s], for errors (C, S); 1 for the reference itself.

    least: what the reference is taken to err, summed over severities, where it errs less.
    """
    return (errors.sum(1) / reference.sum(1).clamp_min(least)).mean().item()
