"""How little an attack needs to change a network's answer: the mean relative Euclidean norm of its perturbations, and its cost.

"DeepFool: a simple and accurate method to fool deep neural networks" (P164): rho, the mean of ||r(x)|| / ||x|| over test
images, r(x) what changes the answer that the network gives to x, right or wrong. An attack with a size is given, image by
image, the smallest that fools, where the paper takes one size for all images that fools nine in ten. Cost is counted in
gradients, not in seconds as in the paper: one for each image and each backward pass.
"""

from collections.abc import Callable, Iterator
from typing import Annotated

import torch
from annotated_types import Ge, Gt
from torch import Tensor, nn

from assay.attacks._ball import norms
from assay.attacks._search import smallest
from assay.attacks.deepfool import linearised, nearest_boundary
from assay.data.batch import whole
from assay.language.plugs import Plug
from assay.measuring.arm import Arm
from assay.measuring.evaluate import predict
from assay.metrics.top1 import top1

METRICS = {
    "top1": "Test accuracy [0 to 1, higher is better]: share of test images classified correctly",
    "rho": "Relative size of perturbations [share of the image's norm, lower is better]: mean Euclidean norm of the "
    "perturbation over that of the image; where none fools, of the largest tried",
    "fooled": "Images fooled [0 to 1, higher is better]: share of images whose answer was changed",
    "excess": "Excess over the linear distance [relative, lower is better]: mean norm over the mean distance to the boundary "
    "of the linearised network, minus 1; exact where that is affine",
    "gradients": "Gradients an image [count, lower is better]: backward passes for an image, mean over images",
}
PICTURES = 6


def minimal_perturbation(
    arm: Arm,
    *,
    attack: Annotated[Callable, Plug("attacks")] = "deepfool",
    largest: Annotated[float, Gt(0)] | None = None,
    images: Annotated[int, Ge(1)] = 128,
) -> Iterator[tuple[str, float]]:
    """Perturb the first `images` test images. largest: the end of the search for the attack's size, in its own norm; None for
    an attack that sets none.
    """
    test = arm.world.test
    yield "top1", top1(predict(arm.network, test.images), test.labels)
    given = whole(test.images)[:images]
    answers = predict(arm.network, given).argmax(1)
    counted = Counted(arm.network)
    moved = _perturbed(attack, counted, given, answers, arm.generator("attack"), largest)
    lengths = norms(moved - given).double()
    nearest = norms(nearest_boundary(*linearised(arm.network, given), answers, beyond=0.0)).double()
    yield "rho", float((lengths / norms(given)).mean())
    yield "fooled", float((predict(arm.network, moved).argmax(1) != answers).double().mean())
    yield "excess", float(lengths.mean() / nearest.mean() - 1)
    yield "gradients", counted.gradients / len(given)
    arm.keep("perturbed", moved[:PICTURES])
    arm.keep("perturbation", (moved - given)[:PICTURES])


class Counted(nn.Module):
    """A network that counts its images each time a gradient is taken through it."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network
        self.gradients = 0

    def forward(self, images: Tensor) -> Tensor:
        logits = self.network(images)
        if logits.requires_grad:
            logits.register_hook(self._count)
        return logits

    def _count(self, gradient: Tensor) -> None:
        self.gradients += len(gradient)


def _perturbed(
    attack: Callable, network: nn.Module, images: Tensor, answers: Tensor, generator: torch.Generator, largest: float | None
) -> Tensor:
    if largest is None:
        return attack(network, images, answers, generator)
    return smallest(attack, network, images, answers, generator, largest=largest)[0]
