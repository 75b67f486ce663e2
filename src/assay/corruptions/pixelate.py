"""Pixelation: an image shrunk and enlarged again without smoothing.

"Benchmarking Neural Network Robustness to Common Corruptions and Perturbations" (P095). Both steps are PIL's box filter:
a cell is the mean of the pixels whose centres lie within it, and gives its value back to them. Shares of the side lie between
those of the paper's CIFAR and ImageNet sets.
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
    rows, columns = (there_and_back(side, int(share * side)).to(images) for side in images.shape[2:])
    return (rows @ images @ columns.T).clamp(0, 1)


def there_and_back(side: int, cells: int) -> Tensor:
    """(side, side) matrix that resizes a line of pixels to `cells` and back."""
    return box_weights(cells, side) @ box_weights(side, cells)


def box_weights(source: int, target: int) -> Tensor:
    """(target, source) matrix whose rows average the source pixels under each target pixel; where that is smaller than they are,
    it takes the one its centre lies in."""
    scale = source / target
    support = max(scale, 1.0) / 2
    centre = (torch.arange(target, dtype=torch.float64)[:, None] + 0.5) * scale
    pixel = torch.arange(source, dtype=torch.float64)
    # The order of PIL's sums, because on borders their rounding decides.
    reached = (pixel >= (centre - support + 0.5).floor()) & (pixel < (centre + support + 0.5).floor())
    distance = (pixel - centre + 0.5) * (1 / max(scale, 1.0))
    under = (reached & (distance > -0.5) & (distance <= 0.5)).double()
    return under / under.sum(1, keepdim=True)
