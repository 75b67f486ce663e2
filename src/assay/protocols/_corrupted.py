"""Corrupted test images: the same for all arms of a study, other ones for each corruption, severity and repetition."""

from collections.abc import Callable

from torch import Tensor

from assay.measuring.arm import Arm


def corrupted_images(arm: Arm, corruption: Callable, images: Tensor, severity: int) -> Tensor:
    """Images (B, C, H, W) under a corruption at a severity from 1 to 5."""
    return corruption(images, severity, arm.generator(corruption.func.__name__, severity))
