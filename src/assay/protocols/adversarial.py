"""How an attack fares: errors over its size, transfer from another network, and how linear the logits are along it.

"Explaining and Harnessing Adversarial Examples" (P127): error and confidence (section 4), adversarial examples made on one
network and shown to another (section 8), logits traced along the attack's direction (figure 4)."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Annotated

import torch
from annotated_types import Gt, MinLen
from torch import Tensor

from assay.data.batch import whole
from assay.language.plugs import Parent, Plug
from assay.measuring.arm import Arm
from assay.measuring.evaluate import batched, predict
from assay.protocols._masking import masking
from assay.training.network import Trained

METRICS = {
    "clean_error": "Clean error [0 to 1, lower is better]: share of untouched test images answered wrongly",
    "error": "Error under attack [0 to 1, lower is better]: share of attacked test images answered wrongly; x is the attack's "
    "size in the [0, 1] pixel range",
    "confidence": "Confidence in wrong answers [0 to 1, lower is better]: mean probability of the wrong answers to attacked "
    "images (0 where none is wrong); x as for error",
    "linearity": "Linearity along the attack [R2, 0 to 1, neither is better]: median R2 of a straight line through a logit as "
    "the image moves from -eps to eps along the attack",
    "masking": "Sign of masked gradients [0 to 1, lower is better]: error under the best of ten noises, or from the source, "
    "above that of the attack on the network itself; or 0",
    "agreement": "Agreement on wrong answers [0 to 1, neither is better]: share of images both networks get wrong under the "
    "attack on which they give the same wrong answer",
}
TRACE_POINTS = 21
TRACED_IMAGES = 256


def adversarial(
    arm: Arm,
    *,
    attack: Annotated[Callable, Plug("attacks")] = "fgsm",
    eps: Annotated[list[float], MinLen(1)] = [0.05, 0.1, 0.15, 0.2, 0.25],  # noqa: B006  (read, never altered)
    trace: Annotated[float, Gt(0)] = 0.25,
    source: Annotated[Trained, Parent()] | None = None,
) -> Iterator[tuple]:
    """Attack the test images at every size in eps; the attack is made on `source` if given, else on the arm's own network.

    masking is measured at the largest size: where the attack is made on `source`, how much that beats it on the own network, else
    how much the best of ten noises does. linearity looks at moves of up to `trace` along the direction of the attack, on the
    first 256 test images, without clipping.
    """
    split = arm.world.test
    maker = source.network if source else arm.network
    yield "clean_error", _error(predict(arm.network, split.images), split.labels)
    errors = {}
    for size in eps:
        images = _attacked(arm, attack, maker, size)
        logits = predict(arm.network, images)
        errors[size] = _error(logits, split.labels)
        yield "error", size, errors[size]
        yield "confidence", size, _wrong_confidence(logits, split.labels)
        if source and size == max(eps):
            yield "agreement", _agreement(predict(maker, images), logits, split.labels)
    largest = max(eps)
    if source:
        errors[largest] = _error(predict(arm.network, _attacked(arm, attack, arm.network, largest)), split.labels)
    blind = source.network if source else None
    yield "masking", masking(arm, partial(attack, eps=largest), split.images, split.labels, errors[largest], blind)
    yield "linearity", _linearity(arm, partial(attack, eps=trace, clip=False), maker, trace)


def _attacked(arm: Arm, attack: Callable, maker: torch.nn.Module, size: float) -> Tensor:
    method = partial(attack, maker, generator=arm.generator("attack", size), eps=size)
    return batched(method, whole(arm.world.test.images), arm.world.test.labels)


def _error(logits: Tensor, labels: Tensor) -> float:
    return float((logits.argmax(1) != labels).double().mean())


def _wrong_confidence(logits: Tensor, labels: Tensor) -> float:
    top, answer = logits.double().softmax(1).max(1)
    wrong = answer != labels
    return float(top[wrong].mean()) if wrong.any() else 0.0


def _agreement(first: Tensor, second: Tensor, labels: Tensor) -> float:
    first, second = first.argmax(1), second.argmax(1)
    both = (first != labels) & (second != labels)
    return float((first == second)[both].double().mean()) if both.any() else 0.0


def _linearity(arm: Arm, attack: Callable, maker: torch.nn.Module, reach: float) -> float:
    """Median over images and classes of the R2 of logit ~ a + b t, for images + t * direction with t from -reach to reach."""
    images, labels = arm.world.test.images[:TRACED_IMAGES], arm.world.test.labels[:TRACED_IMAGES]
    direction = (attack(maker, images, labels, arm.generator("trace")) - images) / reach
    steps = torch.linspace(-reach, reach, TRACE_POINTS, device=images.device)
    logits = torch.stack([predict(arm.network, images + step * direction) for step in steps]).double()
    arm.keep("trace", logits[:, 0].cpu().numpy())
    return float(r_squared(steps.double(), logits.flatten(1)).median())


def r_squared(x: Tensor, y: Tensor) -> Tensor:
    """Share of the variance of each column of y (T, M) that a straight line in x (T,) explains; 1 where a column is constant."""
    x, y = x - x.mean(), y - y.mean(0)
    total = (y**2).sum(0)
    explained = (x @ y) ** 2 / (x**2).sum()
    return torch.where(total > 0, explained / total.clamp_min(torch.finfo(y.dtype).tiny), torch.ones_like(total))
