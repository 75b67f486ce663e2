"""Real images, read from data/ (licences in data/LICENSES.md): no package that is upgraded can change them.

A world that reads a file names it in its INPUTS, so that changed data is seen as what it is: another input.
"""

from functools import cache

import numpy as np
from PIL import Image

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
