"""Weighted nearest-neighbour accuracy of features: the classifier that monitors a representation without training anything.

"Unsupervised Feature Learning via Non-Parametric Instance-level Discrimination", Wu et al. 2018, section 3.4: cosine similarity
s, each of the k nearest training samples votes for its class with weight exp(s / temperature); of equally near samples the first
counts, of equal votes the class of the lowest number. Monitor of "Exploring Simple
Siamese Representation Learning" (P232).
"""

from typing import Annotated

import torch.nn.functional as F
from annotated_types import Ge, Gt
from torch import Tensor

from assay.measuring.evaluate import batched
from assay.metrics._numbers import numbers_only
from assay.metrics._ranking import largest_first


@numbers_only
def knn(
    train_features: Tensor,
    train_labels: Tensor,
    features: Tensor,
    labels: Tensor,
    *,
    neighbours: Annotated[int, Ge(1)] = 20,
    temperature: Annotated[float, Gt(0)] = 0.1,
) -> float:
    """Share in [0, 1] of samples with features (N, D) and labels (N,) whose class wins the vote of (M, D) training features."""
    bank = F.normalize(train_features, dim=1)
    classes = int(max(train_labels.max(), labels.max())) + 1
    neighbours = min(neighbours, len(bank))

    def votes(queries: Tensor) -> Tensor:
        similarity = F.normalize(queries, dim=1) @ bank.T
        nearest = largest_first(similarity)[:, :neighbours]
        weights = (similarity.gather(1, nearest) / temperature).exp()
        return weights.new_zeros(len(queries), classes).scatter_add(1, train_labels[nearest], weights)

    return (batched(votes, features).argmax(1) == labels).double().mean().item()
