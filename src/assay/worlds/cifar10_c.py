"""CIFAR-10 with its corrupted test images as further splits (CIFAR-10-C, Hendrycks and Dietterich, 2019).

Row n of every corrupted split is row n of the test split, corrupted: differences are paired.
"""

from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Interval, Lt

from assay.corruptions._imagenet_c import IMAGENET_C, ONE_OF_EACH_KIND
from assay.data.seeds import Draw
from assay.data.world import Split, World
from assay.datasets import Dataset, retrieved
from assay.errors import DataError
from assay.worlds._cifar import SIDE
from assay.worlds._collection import split_of
from assay.worlds.cifar10 import cifar10

DATASETS = ("cifar10", "cifar10-c")
FACTORS = ("clean_label", "source")
MOST = {"train": 50000, "test": 10000}
SEVERITIES = 5


def cifar10_c(
    draw: Draw,
    *,
    corruptions: list[Literal[IMAGENET_C]] = ONE_OF_EACH_KIND,
    severities: list[Annotated[int, Interval(ge=1, le=5)]] = (3,),
    size: Annotated[int, Ge(8)] = 32,
    train: Annotated[int, Ge(1)] = 50000,
    test: Annotated[int, Ge(1)] = 10000,
    label_noise: Annotated[float, Ge(0), Lt(1)] = 0.0,
    noise_kind: Literal["uniform", "class", "instance"] = "uniform",
) -> World:
    """Further splits "fog-3", ...: one a corruption and severity. Factors as in cifar10.

    Raises DataError when a data set is not there, StudyError when train or test exceeds it.
    """
    world = cifar10(draw, size=size, train=train, test=test, label_noise=label_noise, noise_kind=noise_kind)
    data = retrieved("cifar10-c")
    for corruption in corruptions:
        for severity in severities:
            world.extra[f"{corruption}-{severity}"] = _corrupted(data, corruption, severity, world.test, size)
    return world


def _corrupted(data: Dataset, corruption: str, severity: int, test: Split, size: int) -> Split:
    """The test split's rows in the file of a corruption, whose severities follow one another."""
    pixels = _load(data, f"CIFAR-10-C/{corruption}.npy", (SIDE, SIDE, 3))
    labels = _load(data, "CIFAR-10-C/labels.npy", ())
    count = len(labels) // SEVERITIES
    first = (severity - 1) * count
    rows = test.factors["source"]
    if len(pixels) != len(labels) or rows.max() >= count or not np.array_equal(labels[first + rows], test.labels):
        raise DataError(f"{data.root}: {corruption} is not of the images in cifar10; retrieve both data sets again")
    split = split_of(pixels[first : first + count], labels[first : first + count].astype(np.int64), rows, size)
    return Split(split.images, split.labels, {**split.factors, "clean_label": split.labels})


def _load(data: Dataset, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """An array of which each item has this shape, pixels of bytes or whole numbers, that stays on disk; DataError for a file that
    is none or would need pickle."""
    path = data.file(name)
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise DataError(f"{path}: not a plain array ({error}); retrieve the data set again") from None
    wanted = "uint8" if shape else "integers"
    right = array.dtype == np.uint8 if shape else array.dtype.kind in "iu"
    if array.ndim == 0 or array.shape[1:] != shape or not right:
        form = ", ".join(map(str, ("N", *shape)))
        raise DataError(f"{path}: holds {array.dtype} of shape {array.shape}, expected {wanted} of ({form}); retrieve it again")
    return array
