"""How error and calibration of a network hold up when its test images are corrupted.

The measures of "AugMix: A Simple Data Processing Method to Improve Robustness and Uncertainty" (P194): error averaged over
corruptions and severities, not normalised by a reference network (as the paper does for CIFAR), and the RMS calibration
error, clean and on corrupted images (all corruptions of a severity taken together, so that bins of 100 are many, then
averaged over severities). The corruptions are those of "Benchmarking Neural Network Robustness to Common Corruptions and
Perturbations" (P095).
"""

from collections.abc import Callable, Iterator
from statistics import fmean
from typing import Annotated

import torch
from annotated_types import Ge, Le

from assay.corruptions._imagenet_c import IMAGENET_C
from assay.language.plugs import Plug
from assay.measuring.arm import Arm
from assay.measuring.evaluate import predict
from assay.metrics.rms_calibration_error import rms_calibration_error
from assay.metrics.top1 import top1
from assay.protocols._corrupted import corrupted_images

METRICS = {
    "top1": "Test accuracy [0 to 1, higher is better]: share of clean test images classified correctly",
    "rms": "Calibration error [0 to 1, lower is better]: root mean square calibration error on clean test images",
    "mce": "Corrupted error [0 to 1, lower is better]: error on corrupted test images, mean over corruptions, by severity (x) "
    "or over all (no x)",
    "corrupted_rms": "Corrupted calibration error [0 to 1, lower is better]: root mean square calibration error on corrupted "
    "test images, by severity (x) or their mean (no x)",
    "error": "Error by corruption [0 to 1, lower is better]: error by corruption (x), mean over severities",
}


def corrupted(
    arm: Arm,
    *,
    corruptions: list[Annotated[Callable, Plug("corruptions")]] = IMAGENET_C,
    severities: list[Annotated[int, Ge(1), Le(5)]] = (1, 2, 3, 4, 5),
    images: Annotated[int, Ge(1)] | None = None,
) -> Iterator[tuple]:
    """Measure an arm under each corruption and severity. images: how many test images are corrupted, None for all of them."""
    test = arm.world.test
    logits = predict(arm.network, test.images)
    yield "top1", top1(logits, test.labels)
    yield "rms", rms_calibration_error(logits, test.labels)
    clean, labels = test.images[:images], test.labels[:images]
    repeated = labels.repeat(len(corruptions))
    errors, calibration = [], []
    for severity in severities:
        answers = [predict(arm.network, corrupted_images(arm, corruption, clean, severity)) for corruption in corruptions]
        errors.append([1 - top1(answer, labels) for answer in answers])
        calibration.append(rms_calibration_error(torch.cat(answers), repeated))
        yield "mce", severity, fmean(errors[-1])
        yield "corrupted_rms", severity, calibration[-1]
    yield "mce", fmean(map(fmean, errors))
    yield "corrupted_rms", fmean(calibration)
    for corruption, by_severity in zip(corruptions, zip(*errors, strict=True), strict=True):
        yield "error", corruption.func.__name__, fmean(by_severity)
