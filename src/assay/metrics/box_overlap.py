"""Overlap of the box a heat map draws with the object's: the localisation measure of weakly supervised detection.

"Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization" (P313), section 4.1: the map is cut at 15% of
its maximum and the box is drawn around the largest connected segment.
"""

from typing import Annotated

import numpy as np
from annotated_types import Gt, Lt
from scipy.ndimage import find_objects, label

from assay.metrics._numbers import numbers_only


@numbers_only
def box_overlap(heat: np.ndarray, boxes: np.ndarray, *, threshold: Annotated[float, Gt(0), Lt(1)] = 0.15) -> np.ndarray:
    """Intersection over union (B,) in [0, 1] of maps (B, H, W) with boxes (B, 4) of x0, y0, x1, y1, the ends exclusive.

    Maps without a positive value have an empty box and overlap 0.
    """
    return np.array([_overlap(_box(one, threshold), box) for one, box in zip(heat, boxes, strict=True)])


def _box(heat: np.ndarray, threshold: float) -> tuple[int, int, int, int]:
    """The box around the largest 4-connected segment above the threshold, of equally large ones the first in reading order."""
    if heat.max() <= 0:
        return 0, 0, 0, 0
    segments, count = label(heat >= threshold * heat.max())
    largest = np.bincount(segments.ravel())[1:].argmax()
    rows, columns = find_objects(segments, count)[largest]
    return columns.start, rows.start, columns.stop, rows.stop


def _overlap(first: tuple, second: tuple) -> float:
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    shared = max(width, 0) * max(height, 0)
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (first, second))
    return float(shared / (areas - shared))
