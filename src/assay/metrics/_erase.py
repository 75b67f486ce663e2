"""The curve behind deletion and insertion: the target's probability as pixels go or come in the order of a heat map."""

import numpy as np
import torch
import torch.nn.functional as F
from scipy.ndimage import gaussian_filter1d
from torch import Tensor, nn

from assay.metrics._numbers import refuse_nan
from assay.metrics._ranking import largest_first

SIGMA, REACH = 5.0, 5  # of the blur, in pixels: the authors' kernel is 11 pixels wide


@torch.no_grad()
def erased_logits(network: nn.Module, images: Tensor, heat: Tensor, *, erased: Tensor, steps: int, insert: bool) -> Tensor:
    """Logits (steps + 1, B, K) of images (B, C, H, W) as their pixels become those of `erased` in equal portions, hottest first.

    heat (B, 1 or C, H, W) is summed over its channels; of equally hot pixels the first in reading order goes first. insert: the
    images start erased, and their own pixels come back.
    """
    refuse_nan("erasure of pixels: heat", heat)
    rank = largest_first(heat.sum(1).flatten(1)).argsort(1).reshape(len(images), 1, *images.shape[2:])
    pixels = rank[0].numel()
    treated = (rank < step * pixels / steps for step in range(steps + 1))
    return torch.stack([network(torch.where(hot if insert else ~hot, images, erased)) for hot in treated])


def area(logits: Tensor, targets: Tensor) -> float:
    """Mean area under the curve of the targets' (B,) probability over the share of pixels treated, both from 0 to 1, from logits
    (steps + 1, B, K)."""
    refuse_nan("erasure of pixels: logits", logits)
    probabilities = logits.softmax(2).gather(2, targets.expand(len(logits), -1)[..., None])
    curve = torch.stack([step.double().mean() for step in probabilities])
    return float(torch.trapezoid(curve, dx=1 / (len(logits) - 1)))


def blurred(images: Tensor) -> Tensor:
    """Images (B, C, H, W) through the authors' kernel of 11 x 11 pixels, whatever their size: a Gaussian of deviation 5 whose
    tails are folded back into the kernel. The image is mirrored at its edges, where the authors fill with the data's mean."""
    reach = min(REACH, min(images.shape[2:]) - 1)
    impulse = np.zeros(2 * reach + 1)
    impulse[reach] = 1
    row = torch.from_numpy(gaussian_filter1d(impulse, SIGMA)).to(images)
    planes = F.pad(images.flatten(0, 1)[:, None], (reach,) * 4, mode="reflect")
    return F.conv2d(planes, (row[:, None] * row)[None, None])[:, 0].unflatten(0, images.shape[:2])
