"""CutMix: paste a rectangle of another image, and mix the labels in proportion to area.

"CutMix: Regularization Strategy to Train Strong Classifiers with Localizable Features", Yun et al. 2019; one of the
regularisers of "An Empirical Evaluation on Robustness and Uncertainty of Regularization Methods" (P238). The rectangle
has the image's proportions and 1 - lam of its area, lam from Beta(alpha, alpha), its middle anywhere, and is cut at the
edges; labels follow the area that is left of it. As in the paper's algorithm, a batch is mixed with a permutation of itself and
shares one rectangle.
"""

from dataclasses import replace
from typing import Annotated

import torch
from annotated_types import Gt, Le

from assay.augment import _draws
from assay.data.batch import Batch


def cutmix(
    batch: Batch,
    generator: torch.Generator,
    *,
    alpha: Annotated[float, Gt(0)] = 1.0,
    chance: Annotated[float, Gt(0), Le(1)] = 1.0,
) -> Batch:
    """Images (B, C, H, W) get a rectangle of their partner's, targets (B, K) the partner's by its share of the area.

    alpha: of the Beta distribution of what is kept. chance: that a batch is mixed at all. `labels` and `original` stay.
    """
    height, width = batch.images.shape[-2:]
    weight = float(_draws.beta(alpha, 1, generator))
    row, column, lot = torch.rand(3, generator=generator, device=generator.device).tolist()
    partner = torch.randperm(len(batch), generator=generator, device=generator.device)
    if lot >= chance:
        return batch
    ratio = (1 - weight) ** 0.5
    rows = span(int(row * height), int(ratio * height), height)
    columns = span(int(column * width), int(ratio * width), width)
    images = batch.images.clone()
    images[:, :, rows, columns] = batch.images[partner][:, :, rows, columns]
    kept = 1 - (rows.stop - rows.start) * (columns.stop - columns.start) / (height * width)
    return replace(batch, images=images, targets=kept * batch.targets + (1 - kept) * batch.targets[partner])


def span(middle: int, length: int, side: int) -> slice:
    """`length` pixels about a middle one, cut to 0..side."""
    return slice(max(0, middle - length // 2), min(side, middle + (length + 1) // 2))
