"""Helpers of worlds that are drawn from real data sets: balanced rows, splits of them, images read from files."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from assay.data.seeds import Draw
from assay.data.stream import Stream, in_unit_range
from assay.data.world import Split, World
from assay.datasets import Dataset
from assay.errors import DataError
from assay.worlds._sources import resize
from assay.worlds._split import NoiseKind, refuse, with_label_noise

# Of a collection's part: pixels (N, H, W, C) uint8, labels (N,) int64, and further factors (N,) by name.
Part = tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]

SUFFIXES = (".jpeg", ".jpg", ".png")
EIGHT_BITS = {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr"}  # Pillow's modes whose values end at 255
CROPPED_SHARE = 0.875  # of the shorter side that the usual evaluation keeps: 224 of 256 pixels


def collected(
    world: str,
    draw: Draw,
    read: Callable[[str], Part],
    classes: tuple[str, ...],
    size: int,
    counts: tuple[int, int],
    noise: tuple[float, NoiseKind],
) -> World:
    """The world of a collection with a split of its own, of which `read` gives the parts "train" and "test".

    counts: images drawn of each. noise: share and kind of the label noise in training. Factors: clean_label, source (row of the
    part) and those read. Raises StudyError when a part has fewer images.
    """
    splits = []
    for part, count in zip(("train", "test"), counts, strict=True):
        pixels, labels, factors = read(part)
        rows = drawn_rows(world, part, draw, labels, count)
        split = split_of(pixels, labels, rows, size)
        split.factors.update({name: value[rows] for name, value in factors.items()})
        splits.append(split)
    return world_of(world, draw, *splits, classes, *noise)


def drawn_rows(world: str, part: str, draw: Draw, labels: np.ndarray, count: int) -> np.ndarray:
    """(count,) rows in random order, as balanced over the classes as the labels (N,) allow from the first row on.

    So a longer split begins with a shorter one. Raises StudyError when there are fewer than count.
    """
    if count > len(labels):
        raise refuse(world, part, count, f"at most {len(labels)} images", f"lower {part}")
    order = draw.under(part)("order").permutation(len(labels))
    by_class = order[np.argsort(labels[order], kind="stable")]
    starts = np.searchsorted(labels[by_class], labels[by_class])
    rank = np.arange(len(labels)) - starts  # an image's number within its class
    tie = draw.under(part)("tie").random(len(labels))
    return by_class[np.lexsort((tie, rank))][:count]


def split_of(pixels: np.ndarray, labels: np.ndarray, rows: np.ndarray, size: int) -> Split:
    """Rows of pixels (N, H, W, C) uint8, resized to size x size. Factor source: the row."""
    images = resize(in_unit_range(pixels[rows]), size)
    return Split(np.clip(images, 0, 1), labels[rows], {"source": rows})


def world_of(
    name: str, draw: Draw, train: Split, test: Split, classes: tuple[str, ...], label_noise: float, noise_kind: NoiseKind
) -> World:
    """The world of two splits, the labels of the first made noisy; true labels are the factor clean_label."""
    return World(
        with_label_noise(draw.under("train"), train, len(classes), label_noise, noise_kind),
        with_label_noise(draw.under("test"), test, len(classes), 0.0, noise_kind),
        classes,
    )


def checked_labels(path: Path, labels: np.ndarray, classes: int) -> np.ndarray:
    """Labels as int64; DataError when one is no class."""
    if len(labels) == 0 or not 0 <= labels.min() <= labels.max() < classes:
        raise DataError(f"{path}: holds labels outside 0 to {classes - 1}; retrieve the data set again")
    return labels.astype(np.int64)


def pictures(data: Dataset) -> list[str]:
    """The paths of a data set's images, sorted."""
    return [path for path, _ in data.listing() if path.lower().endswith(SUFFIXES)]


def stream_of(data: Dataset, files: list[str], size: int, shorter: int) -> Stream:
    """Images of a data set, streamed, each read by `centre`."""
    return Stream(
        data.name,
        data.root,
        np.array(files, dtype=object),
        partial(centre, shorter=shorter, size=size),
        (3, size, size),
        data.identity,
    )


def centre(path: Path, *, shorter: int, size: int) -> np.ndarray:
    """Read an image as the field evaluates networks, (size, size, 3) uint8: the shorter side resized to `shorter` pixels
    (bilinear, antialiased), the centre cut out. DataError for more than 8 bits a channel, which would be cut off at white.
    """
    with Image.open(path) as opened:
        if opened.mode not in EIGHT_BITS:
            raise DataError(f"{path}: pixels of mode {opened.mode} are not of 8 bits a channel; convert the image")
        image = opened.convert("RGB")
    width, height = image.size
    least = min(width, height)
    image = image.resize((shorter * width // least, shorter * height // least), Image.Resampling.BILINEAR)
    left, top = (round((side - size) / 2) for side in image.size)
    return np.asarray(image.crop((left, top, left + size, top + size)))
