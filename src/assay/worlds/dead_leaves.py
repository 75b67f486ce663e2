"""Dead leaves: opaque shapes of one grey or colour each that fall on one another until little of the ground is seen.

A classic model of natural images' statistics (Matheron 1975; "Occlusion Models for Natural Images", Lee, Mumford and Huang
2001): with radii of density r^-3 the picture looks alike at every scale, has occlusion edges, and a power spectrum near 1/f^2.
Stands for real images in the study of "Watch your Up-Convolution" (P466). The label is the shape of the leaves; one class gives
discs without labels.
"""

from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Gt, Le, Lt

from assay.data.seeds import Draw
from assay.data.world import Split, World
from assay.worlds import _render
from assay.worlds._split import balanced_labels, check_counts, refuse

FACTORS = ("clean_label", "leaves", "shape")


def dead_leaves(
    draw: Draw,
    *,
    size: Annotated[int, Ge(8)] = 32,
    train: Annotated[int, Ge(1)] = 1024,
    test: Annotated[int, Ge(1)] = 512,
    channels: Literal[1, 3] = 3,
    classes: Annotated[int, Ge(1), Le(4)] = 1,
    leaves: Annotated[int, Ge(1)] = 120,
    smallest: Annotated[float, Gt(0), Lt(1)] = 0.06,
    largest: Annotated[float, Gt(0), Le(1)] = 0.4,
) -> World:
    """smallest, largest: radius of a leaf in image sides. Factors: clean_label, shape (index into the shapes' names), leaves
    (N,) how many fell.

    Raises StudyError for splits smaller than the classes or a smallest leaf that is not smaller than the largest.
    """
    check_counts("dead_leaves", classes, train=train, test=test)
    if smallest >= largest:
        raise refuse("dead_leaves", "smallest", smallest, f"below largest = {largest}", "lower smallest")

    def split(part: Draw, count: int) -> Split:
        labels = balanced_labels(part("label"), count, classes)
        image = part("ground").random((count, 1, 1, 3), dtype=np.float32) * np.ones((1, size, size, 1), np.float32)
        for index in range(leaves):
            _drop_leaf(part.under("leaf", index), image, labels, (smallest, largest))
        image = np.ascontiguousarray(image.transpose(0, 3, 1, 2))
        factors = {"clean_label": labels, "shape": labels, "leaves": np.full(count, leaves)}
        return Split(_render.grey(image) if channels == 1 else image, labels, factors)

    return World(split(draw.under("train"), train), split(draw.under("test"), test), _render.SHAPE_NAMES[:classes])


def radii(generator: np.random.Generator, count: int, span: tuple[float, float]) -> np.ndarray:
    """(N,) float32 radii of density proportional to r^-3 within the span, by inverting the distribution function."""
    low, high = span[0] ** -2.0, span[1] ** -2.0
    return ((low + (high - low) * generator.random(count)) ** -0.5).astype(np.float32)


def _drop_leaf(draw: Draw, image: np.ndarray, shape: np.ndarray, span: tuple[float, float]) -> None:
    """One leaf on each image (N, H, W, 3), in place. Leaves are drawn in windows of their size, in half octaves."""
    count, size = len(image), image.shape[1]
    pixels = image.reshape(-1, 3)
    random = draw("look").random((count, 8), dtype=np.float32)
    radius = radii(draw("radius"), count, span)
    centre = random[:, :2] * (1 + 2 * radius[:, None]) - radius[:, None]
    window = np.ceil(2 ** (np.ceil(2 * np.log2(2 * radius * size + 3)) / 2)).astype(int)
    for side in np.unique(window):
        rows = np.flatnonzero(window == side)
        corner = np.floor(centre[rows] * size - side / 2 + 0.5).astype(int)
        at = np.clip(corner[:, None] + np.arange(side)[:, None], 0, size - 1)
        share = _coverage(at, centre[rows], radius[rows], random[rows, 2], shape[rows], size)
        touched = share > 0
        where = ((rows[:, None, None] * size + at[:, :, None, 1]) * size + at[:, None, :, 0])[touched]
        own = np.broadcast_to(np.arange(len(rows))[:, None, None], share.shape)[touched]
        below = pixels[where]
        pixels[where] = below + share[touched][:, None] * (random[rows, 3:6][own] - below)


def _coverage(
    at: np.ndarray, centre: np.ndarray, radius: np.ndarray, turn: np.ndarray, shape: np.ndarray, size: int
) -> np.ndarray:
    """(n, side, side) share covered of the pixels with columns at[:, :, 0] and rows at[:, :, 1]."""
    pixel = (at.astype(np.float32) + np.float32(0.5)) / np.float32(size) - centre[:, None]
    dx, dy = pixel[:, None, :, 0] / radius[:, None, None], pixel[:, :, None, 1] / radius[:, None, None]
    share = np.empty((len(at), at.shape[1], at.shape[1]), np.float32)
    for index in np.unique(shape):
        here = shape == index
        cos, sin = np.cos(_render.TAU * turn[here])[:, None, None], np.sin(_render.TAU * turn[here])[:, None, None]
        x, y = dx[here] * cos + dy[here] * sin, dy[here] * cos - dx[here] * sin
        distance = _render.SHAPES[_render.SHAPE_NAMES[index]](x, y) * radius[here, None, None]
        share[here] = np.clip(np.float32(0.5) - distance * np.float32(size), 0, 1)
    return share
