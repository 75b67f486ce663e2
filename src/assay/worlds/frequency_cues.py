"""Two cues for the class, one in the low and one in the high frequencies, hidden in 1 / f^2 noise: which one does a network use?

Each class has a fixed pattern in each band (drawn once for a world, noise of that band alone, shifted cyclically at random in
each image so that no single pixel tells). In training both patterns are of the class. In test the high one is of a random class
in a share `test_conflict` of images; the low one always tells the label.
"""

from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt, Le

from assay.data.seeds import Draw
from assay.data.world import Split, World
from assay.worlds._spectrum import band, power_law, shaped_noise
from assay.worlds._split import aligned_values, balanced_labels, check_counts, refuse

FACTORS = ("clean_label", "high_class", "high_pattern", "low_pattern")


def frequency_cues(
    draw: Draw,
    *,
    size: Annotated[int, Ge(16)] = 16,
    train: Annotated[int, Ge(1)] = 2048,
    test: Annotated[int, Ge(1)] = 1024,
    classes: Annotated[int, Ge(2), Le(20)] = 4,
    low: Annotated[float, Ge(0), Le(1)] = 0.05,
    high: Annotated[float, Ge(0), Le(1)] = 0.05,
    noise: Annotated[float, Ge(0), Le(1)] = 0.1,
    border: Annotated[float, Gt(1)] = 4.0,
    shift: bool = True,
    test_conflict: Annotated[float, Ge(0), Le(1)] = 0.0,
) -> World:
    """low, high, noise: deviation of each part, in units of the pixel range; border: cycles an image between the bands, the
    high band ends at size / 2; shift: move the patterns cyclically. Images are grey, (N, 1, H, W).

    Factors: clean_label (class of the low pattern), high_class, low_pattern and high_pattern (N, H, W) as added. Raises
    StudyError when the border leaves no high band or a split is smaller than the classes.
    """
    check_counts("frequency_cues", classes, train=train, test=test)
    if border >= size / 2:
        raise refuse("frequency_cues", "border", border, f"below size / 2 = {size / 2:g} cycles an image", "lower border")
    lows = low * shaped_noise(draw("low"), (classes, size, size), band(1, border))
    highs = high * shaped_noise(draw("high"), (classes, size, size), band(border + 1e-6, size / 2))

    def split(part: Draw, count: int, agree: float) -> Split:
        labels = balanced_labels(part("label"), count, classes)
        high_class = aligned_values(part, "high_class", labels, classes, agree)
        offsets = part("shift").integers(0, size, (count, 2)) * int(shift)
        low_pattern = _shifted(lows[labels], offsets)
        high_pattern = _shifted(highs[high_class], offsets)
        ground = noise * shaped_noise(part("noise"), (count, size, size), power_law(2.0))
        images = np.clip(0.5 + ground + low_pattern + high_pattern, 0, 1).astype(np.float32)
        factors = {
            "clean_label": labels,
            "high_class": high_class,
            "low_pattern": low_pattern,
            "high_pattern": high_pattern,
        }
        return Split(images[:, None], labels, factors)

    training = split(draw.under("train"), train, 1.0)
    return World(training, split(draw.under("test"), test, 1 - test_conflict), tuple(f"pattern {i}" for i in range(classes)))


def _shifted(patterns: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """(N, H, W) each moved cyclically by its offsets (N, 2), rows then columns."""
    size = patterns.shape[-1]
    rows = (np.arange(size) - offsets[:, :1]) % size
    columns = (np.arange(size) - offsets[:, 1:]) % size
    return patterns[np.arange(len(patterns))[:, None, None], rows[:, :, None], columns[:, None, :]]
