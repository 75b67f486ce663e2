"""AugMix: mix an image with a random combination of chains of simple operations.

"AugMix: A Simple Data Processing Method to Improve Robustness and Uncertainty" (P194). Each of `width` chains composes one to
three random operations; the chains are mixed with Dirichlet(alpha) weights, and the mix with the image by a Beta(alpha, alpha)
weight. With the consistency loss (objectives/jsd) the clean images are kept and two mixed views are made. The operations, which
share none with the test corruptions, and their deviations are described in augment/_operations.py.
"""

from dataclasses import replace
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt, Le
from torch import Tensor

from assay.augment import _draws, _operations
from assay.data.batch import Batch

DEEPEST = 3


def augmix(
    batch: Batch,
    generator: torch.Generator,
    *,
    severity: Annotated[float, Gt(0.1), Le(10)] = 3.0,
    width: Annotated[int, Ge(1)] = 3,
    depth: Literal[1, 2, 3] | None = None,
    alpha: Annotated[float, Gt(0)] = 1.0,
    views: Annotated[int, Ge(0)] = 2,
) -> Batch:
    """Make mixed copies of the images (B, C, H, W).

    severity: upper end of each operation's random strength, of 10. depth: operations in a chain, None for one to three at random.
    views: copies put into `batch.views`, leaving the images clean; 0 replaces the images by one mixed copy each.
    """
    copies = batch.images.repeat(max(1, views), 1, 1, 1)
    mixed = mix(copies, severity, width, depth, alpha, generator)
    if views == 0:
        return replace(batch, images=mixed)
    return replace(batch, views=mixed.split(len(batch)))


def mix(images: Tensor, severity: float, width: int, depth: int | None, alpha: float, generator: torch.Generator) -> Tensor:
    """One AugMix of each image: (1 - m) * image + m * sum_i w_i * chain_i(image)."""
    count = len(images)
    weights = _draws.dirichlet(alpha, count, width, generator)
    share = _draws.beta(alpha, count, generator)[:, None, None, None]
    chains = _chains(images.repeat(width, 1, 1, 1), severity, depth, generator)
    chains = chains.unflatten(0, (width, count))
    return (1 - share) * images + share * torch.einsum("wb...,bw->b...", chains, weights)


def _chains(images: Tensor, severity: float, depth: int | None, generator: torch.Generator) -> Tensor:
    """Each image after `depth` random operations in a row, or after one to three."""
    if depth is None:
        depths = _draws.integers(1, DEEPEST + 1, len(images), generator)
    else:
        depths = torch.full((len(images),), depth, device=images.device)
    for done in range(int(depths.max())):
        rows = (depths > done).nonzero().flatten()
        images = images.index_copy(0, rows, _operations.random_operation(images[rows], severity, generator))
    return images
