"""Cross-entropy between the network's softmax and the batch's (possibly soft) targets, averaged over the batch, in nats."""

from typing import Annotated

import torch.nn.functional as F
from annotated_types import Ge, Lt
from torch import Tensor, nn

from assay.data.batch import Batch


def cross_entropy(network: nn.Module, batch: Batch, *, label_smoothing: Annotated[float, Ge(0), Lt(1)] = 0.0) -> Tensor:
    """Mean of -sum_k t_k log p_k over the batch; targets (B, K) are mixed with the uniform distribution by label_smoothing."""
    return F.cross_entropy(network(batch.images), batch.targets, label_smoothing=label_smoothing)
