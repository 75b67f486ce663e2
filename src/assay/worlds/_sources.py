"""Real images, read from data/ (licences in data/LICENSES.md): no package that is upgraded can change them.

A world that reads a file names it in its INPUTS, so that changed data is seen as what it is: another input.
"""

from functools import cache

import numpy as np
from PIL import Image

from assay.data.seeds import Draw
from assay.data.world import Split
from assay.storage.manifest import checked


@cache
def picture(name: str) -> np.ndarray:
    """The file as (C, H, W) float32 in [0, 1], read-only; C is 1 or 3."""
    with Image.open(checked(name)) as image:
        pixels = np.asarray(image, np.float32) / 255
    pixels = pixels[None] if pixels.ndim == 2 else np.ascontiguousarray(pixels[..., :3].transpose(2, 0, 1))
    pixels.flags.writeable = False
    return pixels


def arrays(name: str) -> dict[str, np.ndarray]:
    """The arrays of an .npz file by name; pickles are not loaded."""
    with np.load(checked(name), allow_pickle=False) as archive:
        return dict(archive)


def shrink(image: np.ndarray, factor: int) -> np.ndarray:
    """(C, H, W) averaged over factor x factor blocks; a remainder at the far edges is cut off."""
    channels, height, width = image.shape
    height, width = height // factor, width // factor
    cut = image[:, : height * factor, : width * factor]
    return cut.reshape(channels, height, factor, width, factor).mean(axis=(2, 4))


def resize(images: np.ndarray, size: int) -> np.ndarray:
    """(N, S, S) to (N, size, size): bilinear with pixel centres aligned; wider triangles when shrinking, against aliasing."""
    old = images.shape[-1]
    if size == old:
        return images
    step = old / size
    at = np.clip((np.arange(size) + 0.5) * step - 0.5, 0, old - 1)
    weights = np.maximum(0, 1 - np.abs(at[:, None] - np.arange(old)) / max(1, step))
    weights = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    return weights @ images @ weights.T


def halves(image: np.ndarray, part: str) -> tuple[np.ndarray, int]:
    """The part of (..., W) that a split may see, left 60% for "train" and right 40% for the rest, and its first column."""
    border = round(image.shape[-1] * 0.6)
    return (image[..., :border], 0) if part == "train" else (image[..., border:], border)


def patches(draw: Draw, part: str, images: list[np.ndarray], labels: np.ndarray, size: int) -> Split:
    """A random patch of image labels[n] for every n; flips are left to augmentation.

    Factors: clean_label, source, corner (N, 2) x and y.
    """
    where = draw.under(part)("corner").random((len(labels), 2))
    corner = np.empty((len(labels), 2), np.int64)
    result = np.empty((len(labels), len(images[0]), size, size), np.float32)
    for index, image in enumerate(images):
        rows = np.flatnonzero(labels == index)
        seen, first = halves(image, part)
        room = np.array([seen.shape[-1] - size + 1, seen.shape[-2] - size + 1])
        at = (where[rows] * room).astype(np.int64)
        windows = np.lib.stride_tricks.sliding_window_view(seen, (size, size), axis=(-2, -1))
        result[rows] = windows[:, at[:, 1], at[:, 0]].transpose(1, 0, 2, 3)
        corner[rows] = at + np.array([first, 0])
    return Split(result, labels, {"clean_label": labels, "source": labels, "corner": corner})
