"""Your own images: a folder for each class, or train/ and val/ (or test/) that hold one for each class, streamed from disk.

JPEG, PNG and WebP of any mode and orientation. Files whose names start with a dot, and what is no image of a class, are left
out. Images are read as timm evaluates networks (assay/worlds/_files.py).
"""

from functools import partial
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Gt, Le

from assay.data.seeds import Draw
from assay.data.stream import Stream
from assay.data.world import Split, World
from assay.storage.places import place
from assay.worlds._collection import drawn_rows
from assay.worlds._files import Listing, digest_of, listed, read

FACTORS = ("clean_label", "source")


def folder(
    draw: Draw,
    *,
    path: str,
    size: Annotated[int, Ge(1)] = 224,
    crop: Annotated[float, Gt(0), Le(1)] = 0.875,
    interpolation: Literal["nearest", "bilinear", "bicubic", "lanczos"] = "bicubic",
    mode: Literal["center", "squash"] = "center",
    channels: Literal[1, 3] = 3,
    train: Annotated[int, Ge(1)] | None = None,
    test: Annotated[int, Ge(1)] | None = None,
) -> World:
    """The classes are the folders' names, sorted. path: as in a shell. crop: share of the shorter side that is cut out.

    train, test: images drawn, balanced over the classes, None for all; a folder without train/ has no training images, and the
    test images are those of the first of val/, validation/ and test/ that is there. Factors: clean_label, source (row among
    the part's files, sorted). Raises DataError where there are no images of classes.
    """
    found = listed(place(path))
    way = partial(read, size=size, crop=crop, interpolation=interpolation, mode=mode, channels=channels)
    rows = {part: _rows(draw, found, part, count) for part, count in (("train", train), ("test", test))}
    files = {part: np.array(found.parts[part], dtype=object)[chosen] for part, chosen in rows.items()}
    identity = digest_of(found.root, [*files["train"], *files["test"]])

    def split(part: str) -> Split:
        images = Stream("folder", found.root, files[part], way, (channels, size, size), identity)
        labels = found.labels(part)[rows[part]]
        return Split(images, labels, {"clean_label": labels, "source": rows[part]})

    return World(split("train"), split("test"), found.classes)


def _rows(draw: Draw, found: Listing, part: str, count: int | None) -> np.ndarray:
    """The rows of a part's files that are drawn."""
    labels = found.labels(part)
    if count is None or len(labels) == 0:
        return np.arange(len(labels))
    return drawn_rows("folder", part, draw, labels, min(count, len(labels)))
