"""Helpers of worlds whose real images lie in data/ as uint8 arrays: rows of them as splits, with label noise in training."""

from functools import cache

import numpy as np

from assay.data.seeds import Draw
from assay.data.world import Split, World
from assay.worlds._collection import split_of, world_of
from assay.worlds._sources import arrays
from assay.worlds._split import NoiseKind


@cache
def packed(name: str) -> dict[str, np.ndarray]:
    """The arrays of a file in data/, read once in a process."""
    return arrays(name)


def grey_world(
    name: str,
    draw: Draw,
    parts: tuple[tuple[np.ndarray, np.ndarray, np.ndarray], ...],
    classes: tuple[str, ...],
    size: int,
    channels: int,
    noise: tuple[float, NoiseKind],
) -> World:
    """The world of a training and a test part: for each all images (N, S, S) uint8, their labels (N,) and the rows to take."""

    def split(images: np.ndarray, labels: np.ndarray, rows: np.ndarray) -> Split:
        made = split_of(images[..., None], labels.astype(np.int64), rows, size)
        return Split(np.repeat(made.images, channels, axis=1), made.labels, made.factors)

    return world_of(name, draw, *(split(*part) for part in parts), classes, *noise)
