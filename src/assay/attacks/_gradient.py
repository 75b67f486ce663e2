"""The gradient of the cross-entropy in the input, which every first-order attack starts from."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def input_gradient(network: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """Gradient (B, C, H, W) of the summed cross-entropy in the images; the network's parameters get no gradient."""
    return logits_and_gradient(network, images, labels)[1]


def logits_and_gradient(network: nn.Module, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The network's logits (B, K) and `input_gradient`, from one pass."""
    with torch.enable_grad():
        images = images.detach().requires_grad_(True)
        logits = network(images)
        gradient = torch.autograd.grad(cross_entropies(logits.double(), labels).sum(), images)[0]
    return logits.detach(), gradient


@torch.no_grad()
def sample_losses(network: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of each image (B,), in double precision."""
    return cross_entropies(network(images).double(), labels)


def cross_entropies(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of each sample (B,) as softplus(logsumexp of the other logits - logit of the label).

    Where a network is certain, the usual gradient p - 1 rounds to 0 and its direction is lost; this form keeps it.
    """
    own = logits.gather(1, labels[:, None]).squeeze(1)
    others = logits.scatter(1, labels[:, None], float("-inf")).logsumexp(1)
    return F.softplus(others - own)


def within(images: Tensor, clip: bool) -> Tensor:
    """The images cut to [0, 1] if asked."""
    return images.clamp(0, 1) if clip else images
