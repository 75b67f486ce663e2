"""How well adversarial examples made on one network fool others, and how sharp the loss is around that network's weights.

The measures of "Going Further: Flatness at the Rescue of Early Stopping for Adversarial Example Transferability" (P680): the part
of the images a target answers rightly that it answers wrongly once they are attacked through the surrogate, averaged over
targets; and sharpness, here as sharpness-aware minimisation defines it (Foret et al. 2021, equation 1, to first order): how much
the loss of a batch of training images rises when the weights move a given distance along its gradient.
"""

from collections.abc import Callable, Iterator
from copy import deepcopy
from statistics import fmean
from typing import Annotated

import torch
import torch.nn.functional as F
from annotated_types import Ge, Gt, MinLen
from torch import Tensor, nn

from assay.data.batch import whole
from assay.language.plugs import Parent, Plug
from assay.measuring.arm import Arm
from assay.measuring.evaluate import batched, predict
from assay.metrics.top1 import top1
from assay.training.network import Trained

METRICS = {
    "top1": "Surrogate's test accuracy [0 to 1, higher is better]: share of test images the surrogate classifies correctly",
    "white_box": "Success on the surrogate [0 to 1, higher is better]: share of images the surrogate answers rightly that it "
    "answers wrongly under the attack",
    "success": "Success on targets [0 to 1, higher is better]: the same share of the targets, by target (x) or their mean (no x)",
    "target_top1": "Targets' test accuracy [0 to 1, higher is better]: share of test images the targets classify correctly, "
    "mean over targets",
    "sharpness": "Sharpness [nats, lower is better]: rise of the training loss as the weights move along its gradient, mean "
    "over batches",
}
PICTURES = 6
BATCH = 64
BATCHES = 8


def transfer(
    arm: Arm,
    *,
    targets: Annotated[list[Annotated[Trained, Parent()]], MinLen(1)],
    attack: Annotated[Callable, Plug("attacks")] = "bim",
    images: Annotated[int, Ge(1)] = 256,
    radius: Annotated[float, Gt(0)] = 0.05,
) -> Iterator[tuple]:
    """Attack the first `images` test images through the arm's network and show them to the targets. radius: how far the weights
    move for sharpness, which is that of the first 512 training images in batches of 64.
    """
    test = arm.world.test
    yield "top1", top1(predict(arm.network, test.images), test.labels)
    given, labels = whole(test.images)[:images], test.labels[:images]
    attacked = batched(lambda x, y: attack(arm.network, x, y, arm.generator("attack")), given, labels)
    yield "white_box", fooled(arm.network, given, attacked, labels)
    found = [fooled(target.network, given, attacked, labels) for target in targets]
    for name, value in zip(names(targets), found, strict=True):
        yield "success", name, value
    yield "success", fmean(found)
    yield "target_top1", fmean(top1(predict(target.network, given), labels) for target in targets)
    train = arm.world.train
    yield "sharpness", sharpness(arm.network, train.images[: BATCH * BATCHES], train.labels[: BATCH * BATCHES], radius)
    arm.keep("attacked", attacked[:PICTURES])


def fooled(network: nn.Module, images: Tensor, attacked: Tensor, labels: Tensor) -> float:
    """Share of the images answered rightly whose attacked version is not; 0 where none is."""
    right = predict(network, images).argmax(1) == labels
    wrong = predict(network, attacked).argmax(1) != labels
    return float(wrong[right].double().mean()) if right.any() else 0.0


def names(targets: list[Trained]) -> list[str]:
    """The name of each target's model, numbered from the second of a kind."""
    found: list[str] = []
    for target in targets:
        name = target.recipe["model"]["plug"].split("/")[1] if target.recipe else type(target.network.model).__name__
        twins = sum(other.split(" ")[0] == name for other in found)
        found.append(f"{name} {twins + 1}" if twins else name)
    return found


def sharpness(network: nn.Module, images: Tensor, labels: Tensor, radius: float) -> float:
    """Mean over batches of L(w + radius g / ||g||) - L(w), g the gradient in the weights w of L, a batch's mean loss."""
    moving = deepcopy(network).eval().requires_grad_(True)
    rises = [_rise(moving, *batch, radius) for batch in zip(images.split(BATCH), labels.split(BATCH), strict=True)]
    return fmean(rises)


def _rise(network: nn.Module, images: Tensor, labels: Tensor, radius: float) -> float:
    weights = list(network.parameters())
    start = [weight.detach().clone() for weight in weights]
    with torch.enable_grad():
        loss = F.cross_entropy(network(images).double(), labels)
        gradients = torch.autograd.grad(loss, weights)
    length = torch.stack([gradient.norm() for gradient in gradients]).norm().clamp_min(torch.finfo(torch.float32).tiny)
    with torch.no_grad():
        for weight, gradient in zip(weights, gradients, strict=True):
            weight.add_(gradient * (radius / length))
        worse = F.cross_entropy(network(images).double(), labels)
        for weight, value in zip(weights, start, strict=True):
            weight.copy_(value)
    return float(worse - loss.detach())
