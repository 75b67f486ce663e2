"""The curve behind deletion and insertion: the target's probability as pixels go or come in the order of a heat map."""

import torch
from torch import Tensor, nn


def erasure_area(
    network: nn.Module, images: Tensor, targets: Tensor, heat: Tensor, fill: float, steps: int, insert: bool
) -> float:
    """Mean area under the curve of the target's probability over the share of pixels treated, hottest first, both from 0 to 1.

    heat (B, C, H, W) is summed over its channels. Pixels are erased to `fill`; with insert, the image starts erased.
    """
    rank = heat.sum(1).flatten(1).argsort(1, descending=True).argsort(1).reshape(len(images), 1, *images.shape[2:])
    pixels = rank[0].numel()
    curve = []
    for step in range(steps + 1):
        treated = rank < step * pixels / steps
        kept = treated if insert else ~treated
        with torch.no_grad():
            probabilities = network(torch.where(kept, images, torch.full_like(images, fill))).softmax(1)
        curve.append(probabilities.gather(1, targets[:, None]).double().mean())
    return float(torch.trapezoid(torch.stack(curve), dx=1 / steps))
