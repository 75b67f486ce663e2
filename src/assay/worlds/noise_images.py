"""Another world's labels with images of Gaussian noise, which hold no information about them.

"Understanding deep learning requires rethinking generalization" (P186): the noise has the mean and deviation of the training
images, here channel by channel. Images are clipped to [0, 1], which lowers the deviation a little.
"""

from collections.abc import Callable
from typing import Annotated

import numpy as np

from assay.data.seeds import Draw
from assay.data.stream import whole
from assay.data.world import Split, World
from assay.language.plugs import Plug
from assay.worlds._wrap import each_split


def noise_images(draw: Draw, *, of: Annotated[Callable, Plug("worlds")] = "shapes") -> World:
    """Labels and clean_label are kept; the other factors described images that are gone."""
    world = of(draw)
    images = whole(world.train.images)
    mean, deviation = (each(images, axis=(0, 2, 3), keepdims=True) for each in (np.mean, np.std))

    def redraw(name: str, split: Split) -> Split:
        noise = draw("noise_images", name).standard_normal(split.images.shape, dtype=np.float32)
        kept = {key: value for key, value in split.factors.items() if key == "clean_label"}
        return Split(np.clip(mean + deviation * noise, 0, 1), split.labels, kept)

    return each_split(world, redraw)
