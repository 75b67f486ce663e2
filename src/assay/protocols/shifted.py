"""How well a network classifies the further splits of its world: a new test set, other styles, corruptions.

The usual measure on ImageNet-V2, -A, -R, -Sketch and -C: accuracy on each, its classes alone to choose from where it has
images of only some ("Natural Adversarial Examples" (P068) judges by 200 of the 1,000 classes so).
"""

from collections.abc import Iterator

import torch

from assay.errors import StudyError
from assay.measuring.arm import Arm
from assay.measuring.evaluate import predict
from assay.metrics.top1 import top1

METRICS = {
    "top1": "Test accuracy [0 to 1, higher is better]: share of test images classified correctly",
    "shifted_top1": "Accuracy on further splits [0 to 1, higher is better]: the same share on a further split of the world "
    "(x), or the mean over all of them (no x)",
}


def shifted(arm: Arm) -> Iterator[tuple]:
    """Measure an arm on the test split and on every further split. StudyError if its world has none."""
    world = arm.world
    if not world.extra:
        raise StudyError(
            f"protocol shifted: the world of arm '{arm.name}' has no further splits; name one that has, as imagenet with variants"
        )
    yield "top1", top1(predict(arm.network, world.test.images), world.test.labels)
    found = []
    for name, split in sorted(world.extra.items()):
        logits = predict(arm.network, split.images)
        absent = torch.ones(logits.shape[1], dtype=torch.bool, device=logits.device)
        absent[split.labels.unique()] = False
        found.append(top1(logits.masked_fill(absent, float("-inf")), split.labels))
        yield "shifted_top1", name, found[-1]
    yield "shifted_top1", sum(found) / len(found)
