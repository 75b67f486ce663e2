"""Cross-entropy on the clean images plus the Jensen-Shannon divergence between predictions on clean and augmented views.

"AugMix: A Simple Data Processing Method to Improve Robustness and Uncertainty" (P194). The divergence is the mean Kullback-
Leibler divergence, in nats, of the predictions on the clean images and on each view from their average. The paper uses two
views (augment/augmix) and weight 12. All images pass the network as one batch, so that they share batch statistics.
"""

from typing import Annotated

import torch
import torch.nn.functional as F
from annotated_types import Ge
from torch import Tensor, nn

from assay.data.batch import Batch
from assay.errors import StudyError

SMALLEST = 1e-7  # floor under the average prediction, for its logarithm


def jsd(network: nn.Module, batch: Batch, *, weight: Annotated[float, Ge(0)] = 12.0) -> Tensor:
    """Cross-entropy with the targets (B, K) plus weight times the divergence, averaged over the batch.

    Raises StudyError if no augmentation made views.
    """
    if not batch.views:
        raise StudyError("objective jsd: the batch has no views; add an augmentation that makes some, such as augmix")
    logits = network(torch.cat([batch.images, *batch.views]))
    clean = logits[: len(batch)]
    return F.cross_entropy(clean, batch.targets) + weight * divergence(logits.unflatten(0, (-1, len(batch))))


def divergence(logits: Tensor) -> Tensor:
    """Jensen-Shannon divergence of the predictions of V views, (V, B, K) logits, averaged over the batch; between 0 and log V."""
    probabilities, log_probabilities = logits.softmax(-1), logits.log_softmax(-1)
    log_average = probabilities.mean(0).clamp(SMALLEST, 1).log()
    return (probabilities * (log_probabilities - log_average)).sum(-1).mean()
