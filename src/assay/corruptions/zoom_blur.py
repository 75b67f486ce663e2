"""Zoom blur: the mean over a range of enlargements, as of a camera that moved towards the scene.

"Benchmarking Neural Network Robustness to Common Corruptions and Perturbations" (P095). The range is sampled at eight
enlargements; like the paper's, the mean counts the unenlarged image twice.
"""

import torch
from torch import Tensor

from assay.corruptions import _common

LARGEST = (1.1, 1.18, 1.26, 1.34, 1.42)
SAMPLES = 8


def zoom_blur(images: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """Mean of images (B, C, H, W) and their enlargements up to a largest factor; StudyError for a severity outside 0..5."""
    if severity == 0:
        return images
    largest = _common.setting(LARGEST, severity)
    factors = [1 + (largest - 1) * k / (SAMPLES - 1) for k in range(SAMPLES)]
    return ((images + sum(_common.zoom(images, factor) for factor in factors)) / (SAMPLES + 1)).clamp(0, 1)
