"""CIFAR-10: 60,000 colour photographs of 32 x 32 pixels in ten classes (Krizhevsky, 2009).

The collection's own split: training images come from its 50,000, test images from its 10,000. The draw says which, and in which
order; classes are balanced.
"""

from typing import Annotated, Literal

from annotated_types import Ge, Lt

from assay.data.seeds import Draw
from assay.data.world import World
from assay.datasets import retrieved
from assay.worlds._cifar import class_names, read_cifar10
from assay.worlds._collection import Part, checked_labels, collected

DATASETS = ("cifar10",)
FACTORS = ("clean_label", "source")
MOST = {"train": 50000, "test": 10000}


def cifar10(
    draw: Draw,
    *,
    size: Annotated[int, Ge(8)] = 32,
    train: Annotated[int, Ge(1)] = 50000,
    test: Annotated[int, Ge(1)] = 10000,
    label_noise: Annotated[float, Ge(0), Lt(1)] = 0.0,
    noise_kind: Literal["uniform", "class", "instance"] = "uniform",
) -> World:
    """A size other than 32 is interpolated. Factors: clean_label, source (row of the collection's split).

    Raises DataError when the data set is not there, StudyError when train or test exceeds it.
    """
    data = retrieved("cifar10")
    classes = class_names(data.file("cifar-10-batches-bin/batches.meta.txt"))

    def read(part: str) -> Part:
        pixels, labels = read_cifar10(data, part)
        return pixels, checked_labels(data.root, labels, len(classes)), {}

    return collected("cifar10", draw, read, classes, size, (train, test), (label_noise, noise_kind))
