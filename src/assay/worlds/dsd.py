"""The Dynamic Signal Distribution: one of k patches holds plus or minus a fixed signal, everything holds Gaussian noise.

"Role of Locality and Weight Sharing in Image-Based Tasks: A Sample Complexity Separation between CNNs, LCNs, and FCNs" (P019):
x = y * mu_t + sigma * noise, where y is +1 or -1, t is one of the k patches, uniform and independent of y, mu_t holds the unit
vector w (drawn once for a world) in patch t and zeros elsewhere, and the noise is standard normal in all k * d pixels.
Here the patches lie side by side in an image of one row, (N, 1, 1, k * d), so patch t is columns t * d to (t + 1) * d.
The values are those of the definition: they are not confined to [0, 1].
"""

from typing import Annotated

import numpy as np
from annotated_types import Ge

from assay.data.seeds import Draw
from assay.data.world import Split, World
from assay.worlds._split import balanced_labels, check_counts

FACTORS = ("clean_label", "patch", "signal")


def dsd(
    draw: Draw,
    *,
    train: Annotated[int, Ge(1)] = 1024,
    test: Annotated[int, Ge(1)] = 1024,
    patches: Annotated[int, Ge(1)] = 8,
    dimension: Annotated[int, Ge(1)] = 16,
    sigma: Annotated[float, Ge(0)] = 0.1,
) -> World:
    """patches: the paper's k; dimension: its d; sigma: deviation of the noise beside a signal of length 1.

    Labels 0 for -w and 1 for +w. Factors: clean_label, patch (N,) where the signal is, signal (N, d) what was added to it.
    """
    check_counts("dsd", 2, train=train, test=test)
    direction = draw("signal").standard_normal(dimension)
    direction = (direction / np.linalg.norm(direction)).astype(np.float32)

    def split(part: Draw, count: int) -> Split:
        labels = balanced_labels(part("label"), count, 2)
        patch = part("patch").integers(0, patches, count)
        signal = (2 * labels - 1).astype(np.float32)[:, None] * direction
        images = np.float32(sigma) * part("noise").standard_normal((count, patches, dimension), dtype=np.float32)
        images[np.arange(count), patch] += signal
        factors = {"clean_label": labels, "patch": patch, "signal": signal}
        return Split(images.reshape(count, 1, 1, patches * dimension), labels, factors)

    return World(split(draw.under("train"), train), split(draw.under("test"), test), ("minus", "plus"))
