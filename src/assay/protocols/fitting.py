"""How far and how fast a network fits its training labels, whatever they are, and what that is worth on test images.

The measures of "Understanding deep learning requires rethinking generalization" (P186): training accuracy over the epochs and
at the end, the epochs until the labels are fitted, test accuracy. The arms bring what is fitted: true or random labels,
shuffled or random pixels, noise.
"""

from collections.abc import Iterator
from typing import Annotated

import torch
from annotated_types import Gt, Le

from assay.errors import StudyError
from assay.measuring.arm import Arm
from assay.measuring.evaluate import predict
from assay.metrics.top1 import top1

METRICS = {
    "train_top1": "Accuracy on training labels [0 to 1, neither is better]: share of training images given their assigned "
    "label at the end of training",
    "top1": "Test accuracy [0 to 1, higher is better]: share of test images classified correctly",
    "gap": "Generalisation gap [-1 to 1, lower is better]: train_top1 - top1, the generalisation gap",
    "epochs_to_fit": "Epochs to fit [epochs, neither is better]: epochs until the labels were fitted; one more than were "
    "trained if they never were",
    "fitted": "Labels fitted [0 to 1, neither is better]: share of training images given their assigned label, over the epochs"
    " of training",
}


def fitting(arm: Arm, *, fit: Annotated[float, Gt(0), Le(1)] = 0.99) -> Iterator[tuple[str, float] | tuple[str, int, float]]:
    """fit: share of the training labels that counts as fitted. The curve counts each image when its batch is trained on,
    regularisers at work.

    StudyError unless the arm's recipe records margins.
    """
    if "margins" not in arm.trained.records:
        raise StudyError(f"protocol fitting: arm {arm.name}: training recorded no margins; set record: [margins] in base")
    trained_on = top1(predict(arm.network, arm.world.train.images), arm.world.train.labels)
    tested_on = top1(predict(arm.network, arm.world.test.images), arm.world.test.labels)
    yield "train_top1", trained_on
    yield "top1", tested_on
    yield "gap", trained_on - tested_on
    curve = (arm.trained.records["margins"] > 0).double().mean(1)
    yield "epochs_to_fit", epochs_to_fit(curve, fit)
    for epoch, share in enumerate(curve.tolist(), 1):
        yield "fitted", epoch, share


def epochs_to_fit(curve: torch.Tensor, fit: float) -> float:
    """The first epoch, counted from 1, at which the curve (epochs,) is at least `fit`; one past the end if it never is."""
    reached = (curve >= fit).nonzero()
    return float(reached[0] + 1) if len(reached) else float(len(curve) + 1)
