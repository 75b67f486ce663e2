"""What the ImageNet worlds share: classes by WordNet id, and streamed splits drawn from folders of images."""

import re

import numpy as np

from assay.data.seeds import Draw
from assay.data.world import Split
from assay.datasets import Dataset
from assay.errors import DataError
from assay.worlds._collection import CROPPED_SHARE, drawn_rows, stream_of

WORDNET_ID = re.compile(r"n\d{8}")


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
    world: str, draw: Draw, part: str, data: Dataset, files: list[str], classes: tuple[str, ...], count: int, size: int
) -> Split:
    """`count` of the images, balanced over the classes that occur; DataError for an image of an unknown class.

    A folder's name is a WordNet id, or the class's number in their order. Factors: clean_label, source (row among the files).
    """
    number = {name: index for index, name in enumerate(classes)} | {str(index): index for index in range(len(classes))}
    named = [class_of(file) for file in files]
    unknown = set(named) - number.keys()
    if unknown or not files:
        problem = f"folder '{min(unknown)}' is no class of imagenet" if unknown else f"holds no images of {part}"
        raise DataError(f"{data.root}: {problem}; retrieve the data set again")
    labels = np.array([number[name] for name in named])
    rows = drawn_rows(world, part, draw, labels, count)
    shorter = size if data.name == "imagenet-c" else round(size / CROPPED_SHARE)
    images = stream_of(data, [files[row] for row in rows], size, shorter)
    return Split(images, labels[rows], {"clean_label": labels[rows], "source": rows})
