"""Mean squared error of images made again from their codes, averaged over pixels; labels are not used.

What autoencoders for anomaly detection are trained with, the rivals of "Modeling the Distribution of Normal Data in Pre-Trained
Deep Features for Anomaly Detection" (P123).
"""

import torch.nn.functional as F
from torch import Tensor, nn

from assay.data.batch import Batch

CLASSIFIES = False


def reconstruction(network: nn.Module, batch: Batch) -> Tensor:
    """Mean of (network(x) - x)^2 over the batch, images in [0, 1] of shape (B, C, H, W); the network makes images itself."""
    return F.mse_loss(network(batch.images), batch.images)
