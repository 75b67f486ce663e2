"""How far a network decides as another one does, on clean test images and on noise, and how well it classifies.

The measures of "Theoretical Understanding of Learning from Adversarial Perturbations" (P214): accuracy on clean, correctly
labelled test images of networks trained on other things, and agreement of their decisions with those of a network trained as
usual. On images of noise, agreement is about the decision boundary away from the data.
"""

from collections.abc import Iterator
from typing import Annotated

import torch
from annotated_types import Ge

from assay.language.plugs import Parent
from assay.measuring.arm import Arm
from assay.measuring.evaluate import predict
from assay.metrics.top1 import top1
from assay.training.network import Trained

METRICS = {
    "top1": "Test accuracy [0 to 1, higher is better]: share of clean test images classified correctly",
    "agreement": "Agreement with the reference [0 to 1, higher is better]: share of clean test images to which the reference "
    "gives the same class",
    "noise_agreement": "Agreement on noise [0 to 1, higher is better]: share of images of uniform noise to which the reference"
    " gives the same class",
    "train_top1": "Accuracy on training labels [0 to 1, higher is better]: share of training images given their assigned label",
    "carried": "Reference's accuracy on training labels [0 to 1, neither is better]: share of training images which the "
    "reference takes for their assigned label",
}
PICTURES = 10


def agreement_with(
    arm: Arm, *, reference: Annotated[Trained, Parent()], noise: Annotated[int, Ge(1)] = 1024
) -> Iterator[tuple[str, float]]:
    """Compare an arm with the reference network; noise: how many images of noise both are shown."""
    test, train = arm.world.test, arm.world.train
    answers = predict(arm.network, test.images)
    yield "top1", top1(answers, test.labels)
    yield "agreement", top1(answers, predict(reference.network, test.images).argmax(1))
    shape = (noise, *test.images.shape[1:])
    static = torch.rand(shape, generator=arm.generator("noise"), device=arm.device)
    yield "noise_agreement", top1(predict(arm.network, static), predict(reference.network, static).argmax(1))
    yield "train_top1", top1(predict(arm.network, train.images), train.labels)
    yield "carried", top1(predict(reference.network, train.images), train.labels)
    arm.keep("training_images", train.images[:PICTURES])
