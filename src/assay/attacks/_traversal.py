"""Walks from a source image towards a target image that stop where a network's confidence in the source's class is lost."""

import torch
from torch import Tensor, nn

from assay.attacks._gradient import input_gradient

LEAST_SQUARE = 1e-30  # of a gradient's length; less is taken as no gradient


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
    least = confidence(network, sources, labels) - tolerance
    here, correction = sources.clone(), torch.zeros_like(sources)
    walking = torch.arange(len(sources), device=sources.device)
    for _ in range(steps):
        x, y = here[walking], labels[walking]
        way = targets[walking] - x
        if along_level_set:
            gradient = input_gradient(network, x, y)
            way = way - parallel(way, gradient)
            correction[walking] = (correction[walking] - alpha * gradient).clamp(-eps, eps)
        moved = (x + rate * way + correction[walking]).clamp(0, 1)
        held = confidence(network, moved, y) >= least[walking]
        walking = walking[held]
        here[walking] = moved[held]
        if not len(walking):
            break
    return here


def parallel(vectors: Tensor, direction: Tensor) -> Tensor:
    """The part of each vector (B, C, H, W) along its direction; 0 where there is none."""
    flat, along = vectors.flatten(1).double(), direction.flatten(1).double()
    square = (along * along).sum(1, keepdim=True)
    share = torch.where(square > LEAST_SQUARE, (flat * along).sum(1, keepdim=True) / square.clamp_min(LEAST_SQUARE), 0.0)
    return (share * along).to(vectors.dtype).reshape(vectors.shape)


@torch.no_grad()
def confidence(network: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """Probability of the label of each image (B,)."""
    return network(images).double().softmax(1).gather(1, labels[:, None]).squeeze(1)
