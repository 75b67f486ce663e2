"""Corrupted test images: the same for all arms of a study, other ones for each corruption, severity and repetition."""

from collections.abc import Callable

from torch import Tensor, nn

from assay.measuring.arm import Arm
from assay.measuring.evaluate import predict
from assay.metrics.top1 import top1


def corrupted_images(arm: Arm, corruption: Callable, images: Tensor, severity: int) -> Tensor:
    """Images (B, C, H, W) under a corruption at a severity from 1 to 5."""
    return corruption(images, severity, arm.generator(corruption.func.__name__, severity))


def errors_under(
    arm: Arm, network: nn.Module, corruption: Callable, images: Tensor, labels: Tensor, severities: list[int]
) -> list[float]:
    """A network's error on images (B, C, H, W) under a corruption, at each of the severities."""
    return [error(network, corrupted_images(arm, corruption, images, severity), labels) for severity in severities]


def error(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Share of the images that the network does not classify as labelled, 0 to 1."""
    return 1 - top1(predict(network, images), labels)
