"""Robustness and uncertainty of one network side by side: corruptions, an attack, foreign images, calibration, and its cost.

The axes of "An Empirical Evaluation on Robustness and Uncertainty of Regularization Methods" (P238): error on corrupted images
(the corruptions of P095, not normalised), accuracy under a gradient-sign step, area under the ROC curve for telling foreign
images from own ones by confidence, expected calibration error. Cost is counted in passes, which do not depend on the machine.
"""

from collections.abc import Callable, Iterator
from functools import partial
from statistics import fmean
from typing import Annotated

from annotated_types import Ge, Le, MinLen

from assay.corruptions._imagenet_c import IMAGENET_C
from assay.data.batch import whole
from assay.language.plugs import Plug
from assay.measuring.arm import Arm
from assay.measuring.evaluate import batched, predict
from assay.metrics.auroc import auroc
from assay.metrics.ece import ece
from assay.metrics.top1 import top1
from assay.protocols._corrupted import errors_under
from assay.protocols._masking import masking
from assay.training.network import Samples

METRICS = {
    "top1": "Test accuracy [0 to 1, higher is better]: share of test images classified correctly",
    "train_top1": "Training accuracy [0 to 1, higher is better]: share of training images classified correctly",
    "ece": "Expected calibration error [0 to 1, lower is better]: expected calibration error on test images, 15 bins",
    "corrupted_error": "Corrupted error [0 to 1, lower is better]: error on corrupted test images, mean over corruptions and "
    "severities",
    "error": "Error by corruption [0 to 1, lower is better]: the same by corruption (x), mean over severities",
    "adversarial": "Accuracy under attack [0 to 1, higher is better]: share of attacked test images classified correctly",
    "masking": "Sign of masked gradients [0 to 1, lower is better]: error under the best of ten noises of the attack's size, "
    "above that under the attack itself; or 0",
    "auroc": "Area under the ROC curve [0 to 1, higher is better]: chance that an own test image scores above a foreign one, "
    "mean over the foreign worlds",
    "auroc_set": "Area under the ROC curve by set [0 to 1, higher is better]: the same for each foreign world (x)",
    "passes": "Passes in training [count, lower is better]: how often training went forward and back through the network for "
    "each training image, an attack's steps included",
}


def robustness_uncertainty(
    arm: Arm,
    *,
    foreign: Annotated[list[Annotated[Callable, Plug("worlds")]], MinLen(1)],
    attack: Annotated[Callable, Plug("attacks")] = "fgsm",
    score: Annotated[Callable, Plug("scores")] = "msp",
    corruptions: list[Annotated[Callable, Plug("corruptions")]] = IMAGENET_C,
    severities: list[Annotated[int, Ge(1), Le(5)]] = (1, 2, 3, 4, 5),
    images: Annotated[int, Ge(1)] | None = None,
) -> Iterator[tuple]:
    """Measure an arm. images: how many test images are corrupted, and attacked by noise, None for all of them."""
    test, train = arm.world.test, arm.world.train
    logits = predict(arm.network, test.images)
    yield "top1", top1(logits, test.labels)
    yield "train_top1", top1(predict(arm.network, train.images), train.labels)
    yield "ece", ece(logits, test.labels)
    clean, labels = test.images[:images], test.labels[:images]
    errors = []
    for corruption in corruptions:
        errors.append(fmean(errors_under(arm, arm.network, corruption, clean, labels, severities)))
        yield "error", corruption.func.__name__, errors[-1]
    yield "corrupted_error", fmean(errors)
    attacked = batched(partial(attack, arm.network, generator=arm.generator("attack")), whole(test.images), test.labels)
    answers = predict(arm.network, attacked)
    yield "adversarial", top1(answers, test.labels)
    yield "masking", masking(arm, attack, clean, labels, 1 - top1(answers[: len(labels)], labels))
    own = score(Samples(arm.network, test.images, test.labels, arm.trained.records)).cpu().numpy()
    areas = []
    for world in foreign:
        other = arm.make(world).test
        strange = score(Samples(arm.network, other.images, other.labels, arm.trained.records)).cpu().numpy()
        areas.append(auroc(own, strange))
        yield "auroc_set", world.func.__name__, areas[-1]
    yield "auroc", fmean(areas)
    if arm.trained.recipe:
        yield "passes", passes(arm.recipe)


def passes(recipe: dict) -> int:
    """Epochs, times one and the steps of the attack that the objective trains against, if any."""
    attack = recipe["objective"]["parameters"].get("attack")
    steps = attack["parameters"].get("steps", 1) if attack else 0
    return recipe["budget"]["epochs"] * (1 + steps)
