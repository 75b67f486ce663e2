"""Gaussian noise with power spectrum 1 / f^alpha; the class is the exponent, and nothing else tells the classes apart.

White noise has alpha 0, natural images about 2. All images have mean 0.5 and the same deviation; channels are independent.
"""

from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Gt

from assay.data.seeds import Draw
from assay.data.world import Split, World
from assay.worlds._spectrum import power_law, shaped_noise
from assay.worlds._split import balanced_labels, check_counts, refuse

FACTORS = ("alpha", "clean_label")


def spectrum_noise(
    draw: Draw,
    *,
    size: Annotated[int, Ge(8)] = 16,
    train: Annotated[int, Ge(1)] = 2048,
    test: Annotated[int, Ge(1)] = 1024,
    channels: Literal[1, 3] = 3,
    alphas: list[float] = [0.0, 1.0, 2.0, 3.0],  # noqa: B006  (parameters are read from the source; never changed)
    deviation: Annotated[float, Gt(0)] = 0.15,
) -> World:
    """alphas: exponent of each class; one alone gives images without classes. deviation: of the pixels, before clipping to [0,
    1].

    Factors: clean_label, alpha (N,). Raises StudyError without exponents or for splits smaller than the classes.
    """
    if not alphas:
        raise refuse("spectrum_noise", "alphas", alphas, "one exponent or more", "name at least one")
    check_counts("spectrum_noise", len(alphas), train=train, test=test)

    def split(part: Draw, count: int) -> Split:
        labels = balanced_labels(part("label"), count, len(alphas))
        alpha = np.array(alphas)[labels]
        noise = shaped_noise(part("noise"), (count, channels, size, size), power_law(alpha[:, None]))
        images = np.clip(np.float32(0.5) + np.float32(deviation) * noise, 0, 1)
        return Split(images, labels, {"clean_label": labels, "alpha": alpha.astype(np.float32)})

    classes = tuple(f"alpha {alpha:g}" for alpha in alphas)
    return World(split(draw.under("train"), train), split(draw.under("test"), test), classes)
