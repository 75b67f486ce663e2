"""22,000 photographs of clothes from Fashion-MNIST, 28 x 28 grey pixels, ten classes: real images that come with the repository.

"Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning Algorithms", Xiao, Rasul and Vollgraf 2017. Here are the
first 12,000 of the 60,000 training images and all 10,000 test images; the whole set is `idx` after `assay retrieve`.
"""

from typing import Annotated, Literal

from annotated_types import Ge, Lt

from assay.data.seeds import Draw
from assay.data.world import World
from assay.worlds._collection import drawn_rows
from assay.worlds._packed import grey_world, packed
from assay.worlds._split import check_counts
from assay.worlds.idx import CLASSES

FACTORS = ("clean_label", "source")
MOST = {"train": 12000, "test": 10000}
INPUTS = ("fashion_mnist.npz",)


def fashion_mnist(
    draw: Draw,
    *,
    size: Annotated[int, Ge(8)] = 28,
    train: Annotated[int, Ge(1)] = 12000,
    test: Annotated[int, Ge(1)] = 10000,
    channels: Literal[1, 3] = 1,
    label_noise: Annotated[float, Ge(0), Lt(1)] = 0.0,
    noise_kind: Literal["uniform", "class", "instance"] = "uniform",
) -> World:
    """Which images are drawn depends on the draw, their split is the collection's own, and both are as balanced over the classes
    as it allows. A size other than 28 is interpolated; channels 3 repeats the grey value. Factors: clean_label, source (row of
    the split).

    Raises StudyError when a split is larger than what is here, or smaller than the ten classes.
    """
    check_counts("fashion_mnist", 10, train=train, test=test)
    stored, parts = packed("fashion_mnist.npz"), []
    for part, count in (("train", train), ("test", test)):
        images, labels = stored[f"{part}_images"], stored[f"{part}_labels"]
        parts.append((images, labels, drawn_rows("fashion_mnist", part, draw, labels, count)))
    return grey_world("fashion_mnist", draw, tuple(parts), CLASSES["fashion_mnist"], size, channels, (label_noise, noise_kind))
