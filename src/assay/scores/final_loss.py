"""Training loss at the end of training, against the loss that a given share of samples exceeds: above 0 is mislabelled.

The ranking that "Identifying Mislabeled Data using the Area Under the Margin Ranking" sets itself against: a network fits
wrong labels last, so samples it has not fitted are suspect. It has no threshold of its own; the share must be known.
"""

from typing import Annotated

import torch
import torch.nn.functional as F
from annotated_types import Gt, Lt
from torch import Tensor

from assay.measuring.evaluate import predict
from assay.training.network import Samples


def final_loss(samples: Samples, *, share: Annotated[float, Gt(0), Lt(1)] = 0.2) -> Tensor:
    """Cross-entropy of the assigned label minus its (1 - share) quantile, shape (N,), nats. High means mislabelled."""
    loss = F.cross_entropy(predict(samples.network, samples.images), samples.labels, reduction="none").double()
    return loss - torch.quantile(loss, 1 - share)
