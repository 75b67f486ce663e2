"""Spatter: blots of mud over the image.

"MNIST-C: A Robustness Benchmark for Computer Vision" (P090), whose own strength is the fourth. Normal noise is blurred; where it
exceeds a threshold there is mud, whose outline is blurred again and which counts only where it is thick. Blurs are shares of the
side. The threshold is given in deviations of each image's blurred noise, because in grey values it would mean another amount
of mud at another size; the paper's settings for other strengths, of which some are weaker than milder ones, are not used.
"""

import torch
from torch import Tensor

from assay.corruptions import _common

THRESHOLD = (0.6, 0.4, 0.2, 0.0, -0.3)  # in deviations of the blurred noise
SPOT = 1 / 28  # sigma of the noise's blur, in image sides
RIM = 1.5 / 28  # sigma of the outline's
THICK = 0.8
MUD = 63 / 255


def spatter(images: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """Cover parts of images (B, C, H, W) with mud; StudyError for a severity outside 0..5."""
    if severity == 0:
        return images
    height, width = images.shape[2:]
    noise = _common.normal(_common.uniform(images, generator, height * width)).reshape(-1, 1, height, width)
    wet = _common.blur(noise, SPOT * width)
    wet = (wet - wet.mean((2, 3), keepdim=True)) / wet.std((2, 3), keepdim=True)
    mud = blots(wet, _common.setting(THRESHOLD, severity), RIM * width)
    return (images * (1 - mud) + MUD * mud).clamp(0, 1)


def blots(wet: Tensor, threshold: float, sigma: float) -> Tensor:
    """How thick the mud lies, 0 or from 0.8 to 1, where `wet` (B, 1, H, W) exceeds the threshold and around."""
    thickness = _common.blur((wet > threshold).to(wet.dtype), sigma)
    return torch.where(thickness < THICK, 0.0, thickness)
