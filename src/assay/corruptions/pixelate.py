"""Pixelation: an image shrunk and enlarged again without smoothing.

"Benchmarking Neural Network Robustness to Common Corruptions and Perturbations" (P095). Both steps weigh pixels by the area
they cover.
"""

import torch
from torch import Tensor

from assay.corruptions import _common

SHARE = (0.85, 0.7, 0.6, 0.5, 0.4)  # of the side that is left


def pixelate(images: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """Shrink images (B, C, H, W) to a share of their side and back; StudyError for a severity outside 0..5."""
    if severity == 0:
        return images
    share = _common.setting(SHARE, severity)
    rows, columns = (there_and_back(side, round(share * side)).to(images) for side in images.shape[2:])
    return (rows @ images @ columns.T).clamp(0, 1)


def there_and_back(side: int, cells: int) -> Tensor:
    """(side, side) matrix that resizes a line of pixels to `cells` and back."""
    return area_weights(cells, side) @ area_weights(side, cells)


def area_weights(source: int, target: int) -> Tensor:
    """(target, source) matrix whose rows are the shares of a target pixel that each source pixel covers."""
    edges = torch.arange(target + 1) * (source / target)
    left, right = edges[:-1, None], edges[1:, None]
    start = torch.arange(source)[None, :]
    overlap = (torch.minimum(right, start + 1) - torch.maximum(left, start)).clamp_min(0)
    return overlap / overlap.sum(1, keepdim=True)
