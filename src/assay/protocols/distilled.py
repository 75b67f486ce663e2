"""How much of its teacher a student has learned.

The measures of "Knowledge distillation: A good teacher is patient and consistent" (P106): the student's test accuracy, and how
close its predictions come to the teacher's, on test images and on the training images (the loss distillation optimises).
"""

from collections.abc import Iterator
from typing import Annotated

from assay.language.plugs import Parent
from assay.measuring.arm import Arm
from assay.measuring.evaluate import predict
from assay.metrics.top1 import top1
from assay.objectives.distill import divergence
from assay.training.network import Trained

METRICS = {
    "top1": "Test accuracy [0 to 1, higher is better]: share of test images classified correctly",
    "agreement": "Agreement with the teacher [0 to 1, higher is better]: share of test images on which student and teacher "
    "give the same answer",
    "divergence": "Divergence from the teacher [nats, lower is better]: KL(teacher || student) of the predictions on test images",
    "train_divergence": "Divergence on training images [nats, lower is better]: the same on the student's training images, as "
    "they are",
}


def distilled(arm: Arm, *, teacher: Annotated[Trained, Parent()]) -> Iterator[tuple[str, float]]:
    """Compare an arm's network with the teacher (which may be the arm's own: agreement 1, divergence 0)."""
    test, train = arm.world.test, arm.world.train
    answer, reference = predict(arm.network, test.images), predict(teacher.network, test.images)
    yield "top1", top1(answer, test.labels)
    yield "agreement", top1(answer, reference.argmax(1))
    yield "divergence", divergence(reference, answer).item()
    yield "train_divergence", divergence(predict(teacher.network, train.images), predict(arm.network, train.images)).item()
