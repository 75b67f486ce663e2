"""What every world keeps: shapes, types and ranges of its arrays, asked where its card is made. Numpy only.

The worlds that come with the project are tested for the same and more (tests/worlds); this is for those that somebody adds.
"""

from collections.abc import Iterator

import numpy as np

from assay.data.stream import whole
from assay.data.world import Split, World
from assay.errors import DataError

FEW = 4  # images of a stream that are decoded
FIX = "see docs/add-a-world.md"


def check_world(name: str, world: World) -> None:
    """Raise DataError in one line for the first array that networks could not be trained on, or would learn nothing from.

    Images are (N, C, H, W) float32 and finite, of one shape in all splits; labels (N,) int64 from 0 to the number of classes
    - 1; factors are numbers with N rows. Streamed images are not decoded but for a few.
    """
    if not isinstance(world, World):
        raise DataError(f"world {name}: returns {type(world).__name__}; return assay.data.world.World")
    if not world.classes or not all(isinstance(each, str) for each in world.classes):
        raise DataError(f"world {name}: classes: {world.classes!r:.80}; give the name of every class as text")
    for part, split in world.splits().items():
        for problem in _problems(split, len(world.classes), world.train.images.shape[1:]):
            raise DataError(f"world {name}: {part}: {problem}; {FIX}")


def _problems(split: Split, classes: int, shape: tuple[int, ...]) -> Iterator[str]:
    images, labels = split.images, split.labels
    if len(images.shape) != 4 or 0 in images.shape:
        yield f"images have shape {tuple(images.shape)}, not (N, C, H, W) with something in it"
        return
    if tuple(images.shape[1:]) != tuple(shape):
        yield f"images have shape {tuple(images.shape[1:])}, those of train {tuple(shape)}"
    pixels = images if isinstance(images, np.ndarray) else whole(split.take(np.arange(min(FEW, len(images)))).images)
    yield from _wrong_numbers("images", pixels, np.float32)
    yield from _wrong_labels(np.asarray(labels), len(images), classes)
    for factor, values in split.factors.items():
        yield from _wrong_factor(factor, np.asarray(values), len(images))


def _wrong_numbers(what: str, values: np.ndarray, kind: type) -> Iterator[str]:
    if values.dtype != kind:
        yield f"{what} are {values.dtype}, not {np.dtype(kind)}"
    elif not np.isfinite(values).all():
        wrong = np.argwhere(~np.isfinite(values))[0]
        yield f"{what}[{', '.join(map(str, wrong))}] is {values[tuple(wrong)]}, not a finite number"


def _wrong_labels(labels: np.ndarray, count: int, classes: int) -> Iterator[str]:
    if labels.shape != (count,):
        yield f"labels have shape {labels.shape}, not ({count},), one for each image"
    elif labels.dtype != np.int64:
        yield f"labels are {labels.dtype}, not int64"
    elif not 0 <= labels.min() <= labels.max() < classes:
        outside = labels[(labels < 0) | (labels >= classes)][0]
        yield f"label {outside} is of no class; there are {classes}, from 0 to {classes - 1}"


def _wrong_factor(name: str, values: np.ndarray, count: int) -> Iterator[str]:
    if values.dtype.kind not in "biuf":
        yield f"factor {name} is {values.dtype}, not numbers"
    elif values.ndim == 0 or len(values) != count:
        yield f"factor {name} has shape {values.shape}, not {count} rows, one for each image"
