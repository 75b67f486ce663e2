"""Patches of a rectified stereo pair with its true disparity: the Motorcycle pair of Middlebury 2014, as shipped with
scikit-image.

"High-resolution stereo datasets with subpixel-accurate ground truth", Scharstein et al. 2014. Left and right patch are cut at
the same place; the point at column x of the left image is at column x - disparity of the right one. There is one class, without
meaning. Training patches come from the left 60% of the pictures, test patches from the rest.
"""

from typing import Annotated

import numpy as np
from annotated_types import Ge

from assay.data.seeds import Draw
from assay.data.world import Split, World
from assay.worlds._patches import check_fits, patches
from assay.worlds._sources import arrays, picture, shrink

FACTORS = ("clean_label", "corner", "disparity", "known", "right")
INPUTS = ("motorcycle_left.png", "motorcycle_right.png", "motorcycle_disparity.npz")


def stereo(
    draw: Draw,
    *,
    size: Annotated[int, Ge(8)] = 48,
    train: Annotated[int, Ge(1)] = 256,
    test: Annotated[int, Ge(1)] = 64,
    shrink_by: Annotated[int, Ge(1)] = 4,
) -> World:
    """images: left patches. Factors: right (N, 3, H, W), disparity (N, H, W) float32 in pixels of the patch, known (N, H, W) bool
    where the truth was measured (disparity is 0 elsewhere), corner (N, 2), clean_label.

    shrink_by: pictures and disparities are averaged over blocks of this side first, disparities also divided by it; a block
    counts as known when all of it is. Raises StudyError when a patch does not fit.
    """
    truth = arrays("motorcycle_disparity.npz")["disparity"][None]
    known = shrink(np.isfinite(truth).astype(np.float32), shrink_by) == 1
    disparity = shrink(np.where(np.isfinite(truth), truth, 0), shrink_by) / shrink_by
    pair = [shrink(picture(name), shrink_by) for name in INPUTS[:2]]
    stack = np.concatenate([*pair, np.where(known, disparity, 0), known]).astype(np.float32)
    check_fits("stereo", [stack], size, shrink_by)

    def split(part: str, count: int) -> Split:
        both = patches(draw, part, [stack], np.zeros(count, np.int64), size)
        factors = {
            "right": both.images[:, 3:6],
            "disparity": both.images[:, 6],
            "known": both.images[:, 7] == 1,
            "corner": both.factors["corner"],
            "clean_label": both.labels,
        }
        return Split(both.images[:, :3].copy(), both.labels, factors)

    return World(split("train", train), split("test", test), ("motorcycle",))
