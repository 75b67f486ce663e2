"""Another world with the pixels of its images permuted: the statistics of the pixels stay, the spatial structure goes.

"Understanding deep learning requires rethinking generalization" (P186): "shuffled pixels" is one permutation for all images,
"random pixels" another one for every image. The channels of a pixel stay together.
"""

from collections.abc import Callable
from typing import Annotated

import numpy as np

from assay.data.seeds import Draw
from assay.data.stream import whole
from assay.data.world import Split, World
from assay.language.plugs import Plug
from assay.worlds._wrap import each_split


def pixel_shuffle(
    draw: Draw,
    *,
    of: Annotated[Callable, Plug("worlds")] = "shapes",
    per_image: bool = False,
) -> World:
    """per_image: draw a permutation for each image.

    Masks are permuted with the image; boxes, which have no meaning then, are left out.
    """
    draw_own = draw.under("pixel_shuffle")

    def shuffle(name: str, split: Split) -> Split:
        pixels = split.images.shape[-2] * split.images.shape[-1]
        if per_image:
            order = draw_own(name).random((len(split), pixels)).argsort(axis=1)
        else:
            order = np.broadcast_to(draw_own("all").permutation(pixels), (len(split), pixels))
        shape = split.images.shape[-2:]
        factors = {
            key: _permute(value, order) if value.shape[-2:] == shape and value.ndim > 2 else value
            for key, value in split.factors.items()
            if key != "boxes"
        }
        return Split(_permute(whole(split.images), order), split.labels, factors)

    return each_split(of(draw), shuffle)


def _permute(values: np.ndarray, order: np.ndarray) -> np.ndarray:
    """values (N, ..., H, W) with the pixels of row n taken in the order[n] (N, H * W)."""
    flat = values.reshape(len(values), -1, order.shape[1])
    return np.take_along_axis(flat, order[:, None], axis=2).reshape(values.shape)
