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
    identity = digest_of(found.root, found.parts["train"] + found.parts["test"])
    splits = [
        _split(draw, found, part, count, Stream("folder", found.root, np.array([]), way, (channels, size, size), identity))
        for part, count in (("train", train), ("test", test))
    ]
    return World(*splits, found.classes)


def _split(draw: Draw, found: Listing, part: str, count: int | None, stream: Stream) -> Split:
    labels, files = found.labels(part), np.array(found.parts[part], dtype=object)
    chosen = count is not None and len(labels)
    rows = drawn_rows("folder", part, draw, labels, min(count, len(labels))) if chosen else np.arange(len(labels))
    images = Stream(stream.name, stream.root, files[rows], stream.read, stream.image, stream.identity)
    return Split(images, labels[rows], {"clean_label": labels[rows], "source": rows})
