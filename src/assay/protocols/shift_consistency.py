"""Whether a network gives the same answer when its input is shifted by a few pixels.

The measures of "Making Convolutional Networks Shift-Invariant Again" (P244): accuracy; classification consistency, how
often two shifts of one image get the same class, shifting circularly (as the paper does for CIFAR) and by cropping (as for
ImageNet); and accuracy on corrupted images. The paper draws pairs of shifts at random; here every pair is counted.
"""

from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor, nn

from assay.language.plugs import Plug
from assay.measuring.arm import Arm
from assay.measuring.evaluate import predict
from assay.metrics.top1 import top1
from assay.protocols._corrupted import corrupted_images

METRICS = {
    "top1": "Test accuracy [0 to 1, higher is better]: share of test images classified correctly",
    "consistency": "Consistency under circular shifts [0 to 1, higher is better]: share of pairs of circular shifts of an "
    "image given the same class, by the larger coordinate of their difference in pixels (x) or over all pairs (no x)",
    "cropped_consistency": "Consistency under cropping [0 to 1, higher is better]: share of pairs of crops of an image given "
    "the same class, likewise",
    "corrupted_top1": "Corrupted accuracy [0 to 1, higher is better]: share of corrupted test images classified correctly, "
    "mean over corruptions",
}


def shift_consistency(
    arm: Arm,
    *,
    reach: Annotated[int, Ge(1)] = 4,
    images: Annotated[int, Ge(1)] = 256,
    corruptions: list[Annotated[Callable, Plug("corruptions")]] = (),
    severity: Annotated[int, Ge(1)] = 3,
) -> Iterator[tuple]:
    """Measure an arm at all shifts of 0 to `reach` pixels down and right.

    images: how many test images are shifted, and corrupted. severity: of the corruptions, 1 to 5.
    """
    test = arm.world.test
    yield "top1", top1(predict(arm.network, test.images), test.labels)
    shown, labels = test.images[:images], test.labels[:images]
    for metric, shift in (("consistency", rolled), ("cropped_consistency", cropped)):
        answers = shifted_answers(arm.network, shown, reach, shift)
        yield metric, agreement(answers)
        for distance in range(1, reach + 1):
            yield metric, distance, agreement(answers, distance)
    if corruptions:
        scores = [
            top1(predict(arm.network, corrupted_images(arm, corruption, shown, severity)), labels) for corruption in corruptions
        ]
        yield "corrupted_top1", sum(scores) / len(scores)


def rolled(images: Tensor, down: int, right: int, reach: int) -> Tensor:
    """Images (B, C, H, W) shifted circularly."""
    return images.roll((down, right), dims=(2, 3))


def cropped(images: Tensor, down: int, right: int, reach: int) -> Tensor:
    """Windows of images (B, C, H, W) smaller than they are by `reach` pixels, at an offset of at most that."""
    height, width = images.shape[2] - reach, images.shape[3] - reach
    return images[:, :, down : down + height, right : right + width]


def shifted_answers(network: nn.Module, images: Tensor, reach: int, shift: Callable[..., Tensor]) -> Tensor:
    """(N, reach + 1, reach + 1) predicted classes of N images under every shift."""
    steps = range(reach + 1)
    answers = [predict(network, shift(images, down, right, reach)).argmax(1) for down in steps for right in steps]
    return torch.stack(answers, dim=1).unflatten(1, (reach + 1, reach + 1))


def agreement(answers: Tensor, distance: int | None = None) -> float:
    """Share of equal answers over images and pairs of different shifts; answers (N, S, S).

    distance: count only pairs of shifts whose larger coordinate difference is this.
    """
    places = [(down, right) for down in range(answers.shape[1]) for right in range(answers.shape[2])]
    pairs = [
        (a, b) for a, b in combinations(places, 2) if distance is None or max(abs(a[0] - b[0]), abs(a[1] - b[1])) == distance
    ]
    return sum((answers[:, *a] == answers[:, *b]).double().mean().item() for a, b in pairs) / len(pairs)
