"""The gradient of the cross-entropy in the input, which every first-order attack starts from.

The cross-entropy is softplus(s), s the log of the sum of the other logits' exponentials less the label's logit. Where a network
is certain, the slope of softplus is e^s, and single precision loses it on its way to the image beyond a margin of some 100. So
the slope is split into a power of two and a number from 1/2 to 1, and only the latter is sent back: the gradient's direction is
that of s however large the margin, and where nothing is lost it has the bits of the gradient, since powers of two are exact.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def input_gradient(network: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """Gradient (B, C, H, W) of the summed cross-entropy in the images, each image's times a power of two; the network's
    parameters get no gradient."""
    return logits_and_gradient(network, images, labels)[1]


def logits_and_gradient(network: nn.Module, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The network's logits (B, K), `input_gradient`, and the powers of two (B, 1, 1, 1) by which it is too small, from one pass.

    In training mode rows may depend on one another (batch normalisation), and share their power of two.
    """
    with torch.enable_grad():
        images = images.detach().requires_grad_(True)
        logits = network(images)
        behind = shortfalls(logits.double(), labels)
        (slope,) = torch.autograd.grad(F.softplus(behind).sum(), behind, retain_graph=True)
        largest = slope.amax().expand_as(slope) if network.training else slope
        power = largest / torch.frexp(largest).mantissa
        (gradient,) = torch.autograd.grad(behind, images, torch.where(largest > 0, slope / power, 1.0))
    return logits.detach(), gradient, torch.where(largest > 0, power, 0.0).to(images.dtype).reshape(-1, 1, 1, 1)


@torch.no_grad()
def sample_shortfalls(network: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """`shortfalls` of images (B,), in double precision; they order images as the cross-entropy does, also where that is 0."""
    return shortfalls(network(images).double(), labels)


def shortfalls(logits: Tensor, labels: Tensor) -> Tensor:
    """By how much each label's logit falls short of the others' log-sum-exp (B,); far below 0 where a network is certain.

    The cross-entropy is its softplus. The usual gradient p - 1 rounds to 0 there; that of this form does not.
    """
    own = logits.gather(1, labels[:, None]).squeeze(1)
    return logits.scatter(1, labels[:, None], float("-inf")).logsumexp(1) - own


def within(images: Tensor, clip: bool) -> Tensor:
    """The images cut to [0, 1] if asked."""
    return images.clamp(0, 1) if clip else images
