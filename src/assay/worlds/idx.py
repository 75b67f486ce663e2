"""Collections in MNIST's format (IDX): MNIST, Fashion-MNIST and Kuzushiji-MNIST, 70,000 grey images of 28 x 28 pixels each.

The collection's own split into 60,000 and 10,000, drawn from as in cifar10.
"""

import gzip
import math
import zlib
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Lt

from assay.data.seeds import Draw
from assay.data.world import World
from assay.datasets import retrieved
from assay.errors import DataError
from assay.worlds._collection import Part, checked_labels, collected

DATASETS = ("{name}",)
FACTORS = ("clean_label", "source")
MOST = {"train": 60000, "test": 10000}
CLASSES = {
    "mnist": tuple("0123456789"),
    "fashion_mnist": (
        "T-shirt/top",
        "trouser",
        "pullover",
        "dress",
        "coat",
        "sandal",
        "shirt",
        "sneaker",
        "bag",
        "ankle boot",
    ),
    "kmnist": ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
}
PREFIXES = {"train": "train", "test": "t10k"}
UNSIGNED_BYTE = 8  # IDX's code for the only type these files have


def idx(
    draw: Draw,
    *,
    name: Literal["mnist", "fashion_mnist", "kmnist"] = "mnist",
    size: Annotated[int, Ge(8)] = 28,
    train: Annotated[int, Ge(1)] = 60000,
    test: Annotated[int, Ge(1)] = 10000,
    channels: Literal[1, 3] = 1,
    label_noise: Annotated[float, Ge(0), Lt(1)] = 0.0,
    noise_kind: Literal["uniform", "class", "instance"] = "uniform",
) -> World:
    """A size other than 28 is interpolated; channels 3 repeats the grey value. Factors: clean_label, source (row of the split).

    Raises DataError when the data set is not there, StudyError when train or test exceeds it.
    """
    data, classes = retrieved(name), CLASSES[name]

    def read(part: str) -> Part:
        prefix = PREFIXES[part]
        path = data.file(f"{prefix}-labels-idx1-ubyte.gz")
        labels = checked_labels(path, read_idx(path), len(classes))
        pixels = read_idx(data.file(f"{prefix}-images-idx3-ubyte.gz"))
        if len(pixels) != len(labels) or pixels.ndim != 3:
            raise DataError(f"{path}: {len(labels)} labels for images of shape {pixels.shape}; retrieve the data set again")
        return np.repeat(pixels[..., None], channels, axis=-1), labels, {}

    return collected("idx", draw, read, classes, size, (train, test), (label_noise, noise_kind))


def read_idx(path: Path) -> np.ndarray:
    """The uint8 array of a gzipped IDX file; DataError for a file that is truncated or something else."""
    try:
        with gzip.open(path) as file:
            content = file.read()
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: not readable as gzip ({error}); retrieve the data set again") from None
    dimensions = content[3] if len(content) > 3 and content[:3] == bytes((0, 0, UNSIGNED_BYTE)) else 0
    start = 4 + 4 * dimensions
    shape = tuple(np.frombuffer(content[4:start], ">u4").tolist()) if dimensions and len(content) >= start else ()
    if not shape or len(content) != start + math.prod(shape):
        raise DataError(f"{path}: not an IDX file of bytes, or truncated; retrieve the data set again")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
