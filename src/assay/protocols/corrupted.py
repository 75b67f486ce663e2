"""How error and calibration of a network hold up when its test images are corrupted.

The measures of "AugMix: A Simple Data Processing Method to Improve Robustness and Uncertainty" (P194): error averaged over
corruptions and severities, not normalised by a reference network (as the paper does for CIFAR), and the RMS calibration error, clean
and averaged likewise. The corruptions are those of
"Benchmarking Neural Network Robustness to Common Corruptions and Perturbations" (P095).
"""

from collections.abc import Callable, Iterator
from typing import Annotated

from annotated_types import Ge, Le, MinLen

from assay.evaluate import predict
from assay.measuring import Arm
from assay.metrics.rms_calibration_error import rms_calibration_error
from assay.metrics.top1 import top1
from assay.plugs import Plug

METRICS = {
    "top1": "share of clean test images classified correctly, 0 to 1",
    "rms": "root mean square calibration error on clean test images, 0 to 1",
    "mce": "error on corrupted test images, mean over corruptions and severities, 0 to 1",
    "corrupted_rms": "root mean square calibration error on corrupted test images, mean over corruptions and severities, 0 to 1",
    "error": "error by corruption (x), mean over severities, 0 to 1",
}


def corrupted(
    arm: Arm,
    *,
    corruptions: Annotated[list[Annotated[Callable, Plug("corruptions")]], MinLen(1)] = (
        "gaussian_noise",
        "shot_noise",
        "impulse_noise",
        "defocus_blur",
        "glass_blur",
        "motion_blur",
        "zoom_blur",
        "snow",
        "frost",
        "fog",
        "brightness",
        "contrast",
        "elastic_transform",
        "pixelate",
        "jpeg_compression",
    ),
    severities: list[Annotated[int, Ge(1), Le(5)]] = (1, 2, 3, 4, 5),
    images: Annotated[int, Ge(1)] | None = None,
) -> Iterator[tuple]:
    """Measure an arm under each corruption and severity. images: how many test images are corrupted, None for all of them."""
    test = arm.world.test
    logits = predict(arm.network, test.images)
    yield "top1", top1(logits, test.labels)
    yield "rms", rms_calibration_error(logits, test.labels)
    clean, labels = test.images[:images], test.labels[:images]
    errors, calibration = {}, []
    for corruption in corruptions:
        name = corruption.func.__name__
        answers = [
            predict(arm.network, corruption(clean, severity, arm.generator(name, severity))) for severity in severities
        ]
        errors[name] = sum(1 - top1(answer, labels) for answer in answers) / len(answers)
        calibration += [rms_calibration_error(answer, labels) for answer in answers]
        yield "error", name, errors[name]
    yield "mce", sum(errors.values()) / len(errors)
    yield "corrupted_rms", sum(calibration) / len(calibration)
