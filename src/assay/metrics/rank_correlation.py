"""Spearman's rank correlation of two sets of maps, image by image.

The measure of faithfulness to occlusion maps in "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
Localization" (P313), section 5.3.
"""

import numpy as np
from scipy.stats import rankdata

from assay.metrics._numbers import numbers_only


@numbers_only
def rank_correlation(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Correlation (B,) in [-1, 1] of maps (B, H, W) with others; equal values share their mean rank, a constant map gives 0."""
    a, b = (rankdata(maps.reshape(len(maps), -1), axis=1) for maps in (first, second))
    a, b = (ranks - ranks.mean(1, keepdims=True) for ranks in (a, b))
    scale = np.sqrt((a**2).sum(1) * (b**2).sum(1))
    return np.divide((a * b).sum(1), scale, out=np.zeros(len(a)), where=scale > 0)
