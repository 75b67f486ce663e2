"""5,000 handwritten digits of MNIST, 28 x 28 grey pixels, 500 of each: real images that come with the repository.

"Gradient-Based Learning Applied to Document Recognition", LeCun, Bottou, Bengio and Haffner 1998. They are of MNIST's training
part; which are drawn, and their split, depends on the draw. The whole set is `idx` after `assay retrieve mnist`.
"""

from typing import Annotated, Literal

from annotated_types import Ge, Lt

from assay.data.seeds import Draw
from assay.data.world import World
from assay.worlds._collection import drawn_rows
from assay.worlds._packed import grey_world, packed
from assay.worlds._split import check_counts, refuse

FACTORS = ("clean_label", "source")
MOST = {"train + test": 5000}
INPUTS = ("mnist.npz",)


def mnist(
    draw: Draw,
    *,
    size: Annotated[int, Ge(8)] = 28,
    train: Annotated[int, Ge(1)] = 4000,
    test: Annotated[int, Ge(1)] = 1000,
    channels: Literal[1, 3] = 1,
    label_noise: Annotated[float, Ge(0), Lt(1)] = 0.0,
    noise_kind: Literal["uniform", "class", "instance"] = "uniform",
) -> World:
    """Digits 0 to 9, both splits as balanced as 500 of each allow. A size other than 28 is interpolated; channels 3 repeats the
    grey value. Factors: clean_label, source (row of the collection).

    Raises StudyError when train + test exceeds 5,000, or a split is smaller than the ten classes.
    """
    check_counts("mnist", 10, train=train, test=test)
    stored = packed("mnist.npz")
    images, labels = stored["images"], stored["labels"]
    if train + test > len(labels):
        raise refuse("mnist", "train + test", train + test, f"at most {len(labels)} images", "lower train or test")
    rows = drawn_rows("mnist", "train + test", draw, labels, len(labels))
    parts = ((images, labels, rows[:train]), (images, labels, rows[len(rows) - test :]))
    return grey_world("mnist", draw, parts, tuple("0123456789"), size, channels, (label_noise, noise_kind))
