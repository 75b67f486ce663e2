"""1,797 handwritten digits of 8 x 8 pixels (scikit-learn's), a small relative of MNIST.

Source: Optical Recognition of Handwritten Digits (Alpaydin and Kaynak, 1998). Which images are drawn, and their split, depends
on the draw.
"""

from functools import cache
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Lt

from assay.data.seeds import Draw
from assay.data.world import Split, World
from assay.worlds._sources import arrays, resize
from assay.worlds._split import check_counts, refuse, with_label_noise

FACTORS = ("clean_label", "source")
MOST = {"train + test": 1797}
INPUTS = ("digits.npz",)


def digits(
    draw: Draw,
    *,
    size: Annotated[int, Ge(8)] = 8,
    train: Annotated[int, Ge(1)] = 1200,
    test: Annotated[int, Ge(1)] = 597,
    channels: Literal[1, 3] = 1,
    label_noise: Annotated[float, Ge(0), Lt(1)] = 0.0,
    noise_kind: Literal["uniform", "class", "instance"] = "uniform",
) -> World:
    """Digits 0 to 9; size above 8 enlarges by bilinear interpolation; channels 3 repeats the grey value. Factors: clean_label,
    source (row of the collection).

    Raises StudyError when train + test exceeds 1,797, or a split is smaller than the ten classes.
    """
    images, labels = _collection()
    check_counts("digits", 10, train=train, test=test)
    if train + test > len(labels):
        raise refuse("digits", "train + test", train + test, f"at most {len(labels)} images", "lower train or test")
    order = draw("order").permutation(len(labels))

    def split(rows: np.ndarray) -> Split:
        pixels = np.repeat(resize(images[rows], size)[:, None], channels, axis=1)
        return Split(pixels, labels[rows], {"source": rows})

    training, testing = split(order[len(order) - train :]), split(order[:test])
    return World(
        with_label_noise(draw.under("train"), training, 10, label_noise, noise_kind),
        with_label_noise(draw.under("test"), testing, 10, 0.0, noise_kind),
        tuple("0123456789"),
    )


@cache
def _collection() -> tuple[np.ndarray, np.ndarray]:
    """All images (1797, 8, 8) float32 in [0, 1] and labels."""
    stored = arrays("digits.npz")
    return (stored["images"] / 16).astype(np.float32), stored["labels"].astype(np.int64)
