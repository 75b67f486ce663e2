"""Frechet distance between two samples, each taken as a Gaussian: ||m1 - m2||^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)).

"GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium", Heusel et al. 2017, for any features.
"""

import torch
from torch import Tensor

from assay.metrics._numbers import numbers_only


@numbers_only
def frechet_distance(first: Tensor, second: Tensor) -> float:
    """Squared distance, at least 0, for features (N, D) and (M, D)."""
    first, second = first.double(), second.double()
    gap = (first.mean(0) - second.mean(0)).square().sum()
    one, two = torch.cov(first.T).reshape(first.shape[1], -1), torch.cov(second.T).reshape(first.shape[1], -1)
    root = square_root(one)
    # The eigenvalues of C1 C2 are those of the symmetric C1^(1/2) C2 C1^(1/2).
    cross = torch.linalg.eigvalsh(root @ two @ root).clamp_min(0).sqrt().sum()
    return max(0.0, float(gap + one.trace() + two.trace() - 2 * cross))


def square_root(matrix: Tensor) -> Tensor:
    """The symmetric root of a positive semi-definite matrix."""
    values, vectors = torch.linalg.eigh(matrix)
    return vectors * values.clamp_min(0).sqrt() @ vectors.T
