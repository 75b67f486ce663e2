"""Spread of l2-normalised outputs: 0 for a collapsed representation, 1/sqrt(d) for one spread evenly over the sphere.

The collapse measure of "Exploring Simple Siamese Representation Learning" (P232), section 4.1: the standard deviation of each
channel of z / ||z|| over samples, averaged over the channels.
"""

import torch.nn.functional as F
from torch import Tensor

from assay.metrics._numbers import numbers_only


@numbers_only
def output_std(outputs: Tensor) -> float:
    """For outputs (N, d): between 0 and about 1/sqrt(d), the value of a zero-mean isotropic Gaussian."""
    return F.normalize(outputs.double(), dim=1).std(0, correction=0).mean().item()
