"""Brightness: more light, hue and saturation unchanged.

"Benchmarking Neural Network Robustness to Common Corruptions and Perturbations" (P095), with the paper's strengths for
ImageNet.
"""

import torch
from torch import Tensor

from assay.corruptions import _common

STEP = (0.1, 0.2, 0.3, 0.4, 0.5)


def brightness(images: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """Raise the value (of hue, saturation, value) of images (B, C, H, W), clipped at 1.

    Raises StudyError for a severity outside 0..5.
    """
    if severity == 0:
        return images
    return raised(images, _common.setting(STEP, severity))


def raised(images: Tensor, step: float) -> Tensor:
    """Images (B, C, H, W) whose value is higher by `step`, clipped at 1."""
    value = images.amax(1, keepdim=True)
    brighter = (value + step).clamp(max=1)
    # With hue and saturation fixed, all channels scale with the value; black has none of either and becomes grey.
    return torch.where(value > 0, images * brighter / value.clamp_min(torch.finfo(value.dtype).tiny), brighter).clamp(0, 1)
