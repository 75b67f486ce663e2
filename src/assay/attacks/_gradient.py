"""The gradient of the cross-entropy in the input, which every first-order attack starts from."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def input_gradient(network: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """Gradient (B, C, H, W) of the summed cross-entropy in the images; the network's parameters get no gradient."""
    with torch.enable_grad():
        images = images.detach().requires_grad_(True)
        return torch.autograd.grad(cross_entropy(network(images).double(), labels), images)[0]


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Summed cross-entropy as softplus(logsumexp of the other logits - logit of the label).

    Where a network is certain, the usual gradient p - 1 rounds to 0 and its direction is lost; this form keeps it.
    """
    own = logits.gather(1, labels[:, None]).squeeze(1)
    others = logits.scatter(1, labels[:, None], float("-inf")).logsumexp(1)
    return F.softplus(others - own).sum()


def within(images: Tensor, clip: bool) -> Tensor:
    """The images cut to [0, 1] if asked."""
    return images.clamp(0, 1) if clip else images
