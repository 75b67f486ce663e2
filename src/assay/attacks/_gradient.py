"""The gradient of the cross-entropy in the input, which every first-order attack starts from."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def input_gradient(network: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """Gradient (B, C, H, W) of the summed cross-entropy in the images; the network's parameters get no gradient."""
    with torch.enable_grad():
        images = images.detach().requires_grad_(True)
        loss = F.cross_entropy(network(images), labels, reduction="sum")
        return torch.autograd.grad(loss, images)[0]


def within(images: Tensor, clip: bool) -> Tensor:
    """The images cut to [0, 1] if asked."""
    return images.clamp(0, 1) if clip else images
