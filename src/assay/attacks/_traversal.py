"""Walks from a source image towards a target image that stop where a network's confidence in the source's class is lost."""

import torch
from torch import Tensor, nn

from assay.attacks._gradient import logits_and_gradient

LEAST_SQUARE = 1e-30  # of a direction's length; less is taken as no gradient


def traverse(
    network: nn.Module,
    sources: Tensor,
    labels: Tensor,
    targets: Tensor,
    *,
    steps: int,
    rate: float,
    alpha: float,
    eps: float,
    tolerance: float,
    along_level_set: bool = True,
) -> Tensor:
    """Where the walks from sources to targets (B, C, H, W) end, images in [0, 1].

    Each of the `steps` steps goes the share `rate` of what is left of the way, without its part along the gradient g of the
    cross-entropy on labels (B,), plus a correction that accumulates -alpha g and is cut to eps in each pixel. A step after which
    the probability of the label is more than `tolerance` below that of the source is not made, and the walk ends. Without
    along_level_set, steps go straight to the target.
    """
    look = _confidence_and_gradient if along_level_set else _confidence_alone
    here, correction = sources.clone(), torch.zeros_like(sources)
    walking = torch.arange(len(sources), device=sources.device)
    x, y = sources, labels
    sure, direction, power = look(network, x, y)
    least = sure - tolerance
    for _ in range(steps):
        way = targets[walking] - x
        correction[walking] = (correction[walking] - alpha * power * direction).clamp(-eps, eps)
        x = (x + rate * (way - parallel(way, direction)) + correction[walking]).clamp(0, 1)
        sure, direction, power = look(network, x, y)
        held = sure >= least[walking]
        walking, x, y, direction, power = walking[held], x[held], y[held], direction[held], power[held]
        here[walking] = x
        if not len(walking):
            break
    return here


def parallel(vectors: Tensor, direction: Tensor) -> Tensor:
    """The part of each vector (B, C, H, W) along its direction; 0 where there is none."""
    flat, along = vectors.flatten(1).double(), direction.flatten(1).double()
    square = (along * along).sum(1, keepdim=True)
    share = torch.where(square > LEAST_SQUARE, (flat * along).sum(1, keepdim=True) / square.clamp_min(LEAST_SQUARE), 0.0)
    return (share * along).to(vectors.dtype).reshape(vectors.shape)


def _confidence_and_gradient(network: nn.Module, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The probability of each label (B,), and the gradient of the cross-entropy as a direction (B, C, H, W) and the power of two
    (B, 1, 1, 1) that it is to be multiplied by, from one pass."""
    logits, direction, power = logits_and_gradient(network, images, labels)
    return _probability(logits, labels), direction, power


def _confidence_alone(network: nn.Module, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The same with a gradient of 0, which has no part of the way along it and corrects nothing."""
    none = torch.zeros_like(images)
    return confidence(network, images, labels), none, none[:, :1, :1, :1]


@torch.no_grad()
def confidence(network: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """Probability of the label of each image (B,)."""
    return _probability(network(images), labels)


def _probability(logits: Tensor, labels: Tensor) -> Tensor:
    return logits.double().softmax(1).gather(1, labels[:, None]).squeeze(1)
