"""Canny edges: the image replaced by its edges, white on black.

"MNIST-C: A Robustness Benchmark for Computer Vision" (P090), in which nothing but edges is left: the strongest here; weaker ones
mix them with the image. Edges are scikit-image's (Canny 1986), found in the mean over channels, with a Gaussian of the paper's
1 pixel of 28.
"""

import numpy as np
import torch
from skimage.feature import canny
from torch import Tensor

from assay.corruptions import _common

OPACITY = (0.2, 0.4, 0.6, 0.8, 1.0)
SIGMA = 1 / 28  # in image sides


def canny_edges(images: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """Mix images (B, C, H, W) with their edges; StudyError for a severity outside 0..5."""
    if severity == 0:
        return images
    share = _common.setting(OPACITY, severity)
    grey = images.mean(1).double().cpu().numpy()
    edges = np.stack([canny(image, sigma=SIGMA * images.shape[-1]) for image in grey])
    return (1 - share) * images + share * torch.from_numpy(edges).to(images)[:, None]
