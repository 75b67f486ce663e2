"""Elastic transform: a random affine map and a smooth random displacement.

"Benchmarking Neural Network Robustness to Common Corruptions and Perturbations" (P095). Here both parts grow with severity
and the displacement has a given root mean square, whatever the image's size; the paper trades one part for the other. So the
affine part stays within the paper's (up to 0.08 of the side for CIFAR, 0.2 for ImageNet), and the displacement exceeds it (0.02
at most).
"""

import torch
from torch import Tensor

from assay.corruptions import _common

JITTER = (0.02, 0.03, 0.04, 0.05, 0.06)  # of the affine map's three anchors, in image sides
DISPLACEMENT = (0.02, 0.03, 0.04, 0.05, 0.06)  # root mean square along each axis, in image sides
SMOOTHNESS = 0.08  # sigma of the displacement's blur, in image sides
ANCHORS = ((5 / 6, 5 / 6), (5 / 6, 1 / 6), (1 / 6, 1 / 6))  # in image sides


def elastic_transform(images: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """Read each of images (B, C, H, W) at displaced positions, mirrored at the edges.

    Raises StudyError for a severity outside 0..5.
    """
    if severity == 0:
        return images
    height, width = images.shape[2:]
    numbers = 2 * _common.uniform(images, generator, 6 + 2 * height * width) - 1
    x, y = _common.positions(images)
    affine = jittered(numbers[:, :6].reshape(-1, 3, 2) * _common.setting(JITTER, severity))
    corners = torch.stack([x / width, y / height, torch.ones_like(x)], dim=-1)
    mapped = torch.einsum("bij,hwj->bihw", affine, corners)
    field = _common.blur(numbers[:, 6:].reshape(-1, 2, height, width), SMOOTHNESS * width)
    field = field / field.square().mean((2, 3), keepdim=True).sqrt() * _common.setting(DISPLACEMENT, severity)
    moved = mapped + field
    return _common.sample(images, moved[:, 0] * width, moved[:, 1] * height).clamp(0, 1)


def jittered(jitter: Tensor) -> Tensor:
    """(B, 2, 3) affine maps that carry the three anchors to where the jitter (B, 3, 2) moves them."""
    anchors = jitter.new_tensor(ANCHORS)
    homogeneous = torch.cat([anchors, anchors.new_ones(3, 1)], dim=1)
    return torch.linalg.solve(homogeneous, anchors + jitter).transpose(1, 2)
