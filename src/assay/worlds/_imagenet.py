"""What the ImageNet worlds share: photographs as networks see them, classes by WordNet id, and streamed splits drawn from folders
of images."""

import math
import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from assay.data.seeds import Draw
from assay.data.stream import Stream
from assay.data.world import Split
from assay.datasets import Dataset
from assay.errors import DataError
from assay.worlds._collection import CROPPED_SHARE, EIGHT_BITS, drawn_rows, stream_of

WORDNET_ID = re.compile(r"n\d{8}")
FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


@dataclass(frozen=True)
class View:
    """How photographs are read, as timm describes it: `size` pixels a side are cut from the middle of a photograph whose shorter
    side (crop_mode center), or both of whose sides (squash), were resized to size / crop_pct pixels."""

    size: int = 224
    crop_pct: float = CROPPED_SHARE
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"
    crop_mode: Literal["center", "squash"] = "center"

    def sides(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of a resized photograph."""
        resized, least = math.floor(self.size / self.crop_pct), min(width, height)
        return (resized, resized) if self.crop_mode == "squash" else (resized * width // least, resized * height // least)

    def start(self, side: int) -> int:
        """Where the middle begins on a side of so many pixels: before the photograph, where it is too small and padded."""
        return round((side - self.size) / 2) if side > self.size else -((self.size - side) // 2)


def photograph(path: Path, *, view: View) -> np.ndarray:
    """A photograph as the view says, (size, size, 3) uint8, pixel for pixel what timm's evaluation makes of it; outside it is
    black. DataError for more than 8 bits a channel, which would be cut off at white."""
    with Image.open(path) as opened:
        if opened.mode not in EIGHT_BITS:
            raise DataError(f"{path}: pixels of mode {opened.mode} are not of 8 bits a channel; convert the image")
        image = opened.convert("RGB")
    image = image.resize(view.sides(*image.size), FILTERS[view.interpolation])
    left, top = map(view.start, image.size)
    return np.asarray(image.crop((left, top, left + view.size, top + view.size)))


def photographs(data: Dataset, files: list[str], view: View) -> Stream:
    """Photographs of a data set, streamed, each read by `photograph`."""
    seen = "" if view == View(view.size) else f", {view}"
    return Stream(
        data.name,
        data.root,
        np.array(files, dtype=object),
        partial(photograph, view=view),
        (3, view.size, view.size),
        data.identity + seen,
    )


def class_of(file: str) -> str:
    """The name of the folder that an image lies in."""
    return file.rpartition("/")[0].rpartition("/")[2]


def classes_of(data: Dataset, folders: dict[str, list[str]]) -> tuple[str, ...]:
    """The classes of the photographs in train/ and val/, by WordNet id, the usual order.

    DataError where an image does not lie in a folder of its class, and where the two have other classes.
    """
    named = {}
    for folder, files in folders.items():
        misplaced = next((file for file in files if file.count("/") != 2 or not WORDNET_ID.fullmatch(class_of(file))), None)
        if misplaced:
            raise DataError(f"{data.root}/{misplaced}: expected {folder}/<WordNet id>/<image>; lay the copy out like that")
        named[folder] = {class_of(file) for file in files}
    apart = named["train"] ^ named["val"]
    if apart:
        where = "train" if min(apart) in named["train"] else "val"
        raise DataError(f"{data.root}: class '{min(apart)}' is in {where}/ alone; both need the same classes")
    return tuple(sorted(named["train"]))


def streamed(
    world: str, draw: Draw, part: str, data: Dataset, files: list[str], classes: tuple[str, ...], count: int, view: View
) -> Split:
    """`count` of the images, balanced over the classes that occur; DataError for an image of an unknown class.

    A folder's name is a WordNet id, or the class's number in their order. ImageNet-C's images are cut out already, so that they
    are resized alone. Factors: clean_label, source (row among the files).
    """
    number = {name: index for index, name in enumerate(classes)} | {str(index): index for index in range(len(classes))}
    named = [class_of(file) for file in files]
    unknown = set(named) - number.keys()
    if unknown or not files:
        problem = f"folder '{min(unknown)}' is no class of imagenet" if unknown else f"holds no images of {part}"
        raise DataError(f"{data.root}: {problem}; retrieve the data set again")
    labels = np.array([number[name] for name in named])
    rows = drawn_rows(world, part, draw, labels, count)
    drawn = [files[row] for row in rows]
    cut = data.name == "imagenet-c"
    images = stream_of(data, drawn, view.size, view.size) if cut else photographs(data, drawn, view)
    return Split(images, labels[rows], {"clean_label": labels[rows], "source": rows})
