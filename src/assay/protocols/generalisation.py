"""Accuracy of a classifier along the axes robustness is judged by: clean, corrupted, attacked, and in other splits of its world.

The measures of "Adversarial Examples Improve Image Recognition" (P084): accuracy on the test set, on common corruptions (-C), and
on test sets of another style, such as shapes in the texture of another class (Stylized-ImageNet). Corrupted accuracy is a plain
mean, not normalised by a reference network.
"""

from collections.abc import Callable, Iterator
from statistics import fmean
from typing import Annotated

from annotated_types import Ge, Le, MinLen
from torch import Tensor

from assay.language.plugs import Plug
from assay.measuring.arm import Arm
from assay.measuring.evaluate import batched, predict
from assay.metrics.top1 import top1
from assay.protocols._corrupted import corrupted_images
from assay.protocols._masking import masking

METRICS = {
    "top1": "Test accuracy [0 to 1, higher is better]: share of test images classified correctly",
    "corrupted_top1": "Corrupted accuracy [0 to 1, higher is better]: share of corrupted test images classified correctly, "
    "mean over corruptions and severities",
    "attacked_top1": "Accuracy under attack [0 to 1, higher is better]: share of attacked test images classified correctly",
    "masking": "Sign of masked gradients [0 to 1, lower is better]: error under the best of ten noises of the attack's size, "
    "above that under the attack itself; or 0",
    "shifted_top1": "Accuracy on a further split [0 to 1, higher is better]: share of images of a further split of the world "
    "(x) classified correctly",
}


def generalisation(
    arm: Arm,
    *,
    corruptions: Annotated[list[Annotated[Callable, Plug("corruptions")]], MinLen(1)] = (
        "gaussian_noise",
        "impulse_noise",
        "defocus_blur",
        "fog",
        "contrast",
        "pixelate",
        "jpeg_compression",
    ),
    severities: Annotated[list[Annotated[int, Ge(1), Le(5)]], MinLen(1)] = (3,),
    attack: Annotated[Callable, Plug("attacks")] = "pgd",
    images: Annotated[int, Ge(1)] = 256,
) -> Iterator[tuple]:
    """Measure an arm. images: how many test images are corrupted, and attacked."""
    test, world = arm.world.test, arm.world
    yield "top1", top1(predict(arm.network, test.images), test.labels)
    some, labels = test.images[:images], test.labels[:images]
    yield "corrupted_top1", corrupted_accuracy(arm, some, labels, corruptions, severities)
    attacked = batched(lambda *part: attack(arm.network, *part, arm.generator("attack")), some, labels)
    right = top1(predict(arm.network, attacked), labels)
    yield "attacked_top1", right
    yield "masking", masking(arm, attack, some, labels, 1 - right)
    for name, split in sorted(world.extra.items()):
        yield "shifted_top1", name, top1(predict(arm.network, split.images), split.labels)


def corrupted_accuracy(arm: Arm, images: Tensor, labels: Tensor, corruptions: list[Callable], severities: list[int]) -> float:
    """Mean accuracy of the arm's network over corruptions and severities."""
    spoilt = (corrupted_images(arm, corruption, images, severity) for corruption in corruptions for severity in severities)
    return fmean(top1(predict(arm.network, changed), labels) for changed in spoilt)
