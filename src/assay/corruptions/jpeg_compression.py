"""JPEG compression artefacts.

"Benchmarking Neural Network Robustness to Common Corruptions and Perturbations" (P095). The lossy part of baseline JPEG as
libjpeg does it (T.81 annex K tables scaled by quality, 4:2:0 chroma, triangle-filter upsampling), in tensor operations;
entropy coding loses nothing and is left out. Images that are neither grey nor RGB are compressed channel by channel.
Qualities lie between those of the paper's CIFAR and ImageNet sets.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from assay.corruptions import _common

QUALITY = (50, 30, 20, 12, 7)
BLOCK = 8
LUMA = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
CHROMA = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *(((99,) * 8,) * 4),
)
TO_YCC = ((0.299, 0.587, 0.114), (-0.168735892, -0.331264108, 0.5), (0.5, -0.418687589, -0.081312411))
FROM_YCC = ((1.0, 0.0, 1.402), (1.0, -0.344136286, -0.714136286), (1.0, 1.772, 0.0))


def jpeg_compression(images: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """Compress and decompress images (B, C, H, W); StudyError for a severity outside 0..5."""
    if severity == 0:
        return images
    return compress(images, _common.setting(QUALITY, severity))


def compress(images: Tensor, quality: int) -> Tensor:
    """What baseline JPEG of a quality in 1..100 makes of images (B, C, H, W) in [0, 1]."""
    height, width = images.shape[2:]
    unit = 2 * BLOCK
    padded = F.pad((images * 255).round(), (0, -width % unit, 0, -height % unit), mode="replicate")
    if images.shape[1] != 3:
        return (_quantise(padded, LUMA, quality) / 255)[..., :height, :width]
    ycc = _mix(padded, TO_YCC)
    luma, chroma = ycc[:, :1].round(), (ycc[:, 1:] + 128).round()
    luma = _quantise(luma, LUMA, quality)
    chroma = _quantise(F.avg_pool2d(chroma, 2).round(), CHROMA, quality)
    chroma = F.interpolate(chroma, scale_factor=2, mode="bilinear", align_corners=False).round() - 128
    rgb = _mix(torch.cat([luma, chroma], dim=1), FROM_YCC)
    return (rgb.round().clamp(0, 255) / 255)[..., :height, :width]


def _mix(images: Tensor, matrix: tuple) -> Tensor:
    return torch.einsum("ij,bjhw->bihw", images.new_tensor(matrix), images)


def _quantise(planes: Tensor, table: tuple, quality: int) -> Tensor:
    """Round the cosine coefficients of each 8x8 block of planes (B, C, H, W) in 0..255 to multiples of the scaled table."""
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    step = ((planes.new_tensor(table) * scale + 50) / 100).floor().clamp(1, 255)
    basis = cosine_basis().to(planes)
    blocks = (planes - 128).unflatten(3, (-1, BLOCK)).unflatten(2, (-1, BLOCK)).transpose(3, 4)
    rounded = (basis @ blocks @ basis.T / step).round() * step
    restored = (basis.T @ rounded @ basis).transpose(3, 4).flatten(4, 5).flatten(2, 3)
    return (restored + 128).round().clamp(0, 255)


def cosine_basis() -> Tensor:
    """(8, 8) orthonormal basis of the discrete cosine transform, a frequency a row."""
    frequency, place = torch.arange(BLOCK)[:, None], torch.arange(BLOCK)[None, :]
    basis = (math.pi * (2 * place + 1) * frequency / (2 * BLOCK)).cos() * math.sqrt(2 / BLOCK)
    return torch.where(frequency == 0, math.sqrt(1 / BLOCK), basis)
