"""CIFAR-100: 60,000 colour photographs of 32 x 32 pixels in 100 classes, which form 20 superclasses (Krizhevsky, 2009).

Its own split into 50,000 and 10,000, drawn from as in cifar10.
"""

from typing import Annotated, Literal

from annotated_types import Ge, Lt

from assay.data.seeds import Draw
from assay.data.world import World
from assay.datasets import retrieved
from assay.worlds._cifar import class_names, read_records
from assay.worlds._collection import Part, checked_labels, collected

DATASETS = ("cifar100",)
FACTORS = ("clean_label", "coarse", "source")
MOST = {"train": 50000, "test": 10000}


def cifar100(
    draw: Draw,
    *,
    labels: Literal["fine", "coarse"] = "fine",
    size: Annotated[int, Ge(8)] = 32,
    train: Annotated[int, Ge(1)] = 50000,
    test: Annotated[int, Ge(1)] = 10000,
    label_noise: Annotated[float, Ge(0), Lt(1)] = 0.0,
    noise_kind: Literal["uniform", "class", "instance"] = "uniform",
) -> World:
    """labels: the 100 classes or the 20 superclasses. Factors: clean_label, coarse (superclass), source (row of the split).

    Raises DataError when the data set is not there, StudyError when train or test exceeds it.
    """
    data = retrieved("cifar100")
    names = {kind: class_names(data.file(f"cifar-100-binary/{kind}_label_names.txt")) for kind in ("coarse", "fine")}

    def read(part: str) -> Part:
        path = data.file(f"cifar-100-binary/{part}.bin")
        pixels, both = read_records(path, 2)
        known = {kind: checked_labels(path, both[:, column], len(names[kind])) for column, kind in enumerate(names)}
        return pixels, known[labels], {"coarse": known["coarse"]}

    return collected("cifar100", draw, read, names[labels], size, (train, test), (label_noise, noise_kind))
