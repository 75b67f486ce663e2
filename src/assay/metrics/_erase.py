"""The curve behind deletion and insertion: the target's probability as pixels go or come in the order of a heat map."""

import torch
from torch import Tensor, nn


@torch.no_grad()
def erased_logits(network: nn.Module, images: Tensor, heat: Tensor, *, fill: float, steps: int, insert: bool) -> Tensor:
    """Logits (steps + 1, B, K) of images (B, C, H, W) as pixels are erased to `fill` in equal portions, hottest first.

    heat (B, 1 or C, H, W) is summed over its channels. insert: the images start erased, and their pixels come back.
    """
    rank = heat.sum(1).flatten(1).argsort(1, descending=True).argsort(1).reshape(len(images), 1, *images.shape[2:])
    pixels = rank[0].numel()
    erased = torch.full_like(images, fill)
    treated = (rank < step * pixels / steps for step in range(steps + 1))
    return torch.stack([network(torch.where(hot if insert else ~hot, images, erased)) for hot in treated])


def area(logits: Tensor, targets: Tensor) -> float:
    """Mean area under the curve of the targets' (B,) probability over the share of pixels treated, both from 0 to 1, from logits
    (steps + 1, B, K)."""
    probabilities = logits.softmax(2).gather(2, targets.expand(len(logits), -1)[..., None])
    curve = torch.stack([step.double().mean() for step in probabilities])
    return float(torch.trapezoid(curve, dx=1 / (len(logits) - 1)))
