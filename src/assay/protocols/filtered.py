"""How networks fare on images chosen because another network fails on them, of known classes and of unknown ones.

Adversarial filtration, "Natural Adversarial Examples" (P068): of a large pool of fresh images, those are kept that a filter
network classifies wrongly and gives their true class at most 15% (the paper's ImageNet-A), and of images of classes
it never saw, those that it is surest of (ImageNet-O). Other networks are then measured on what was kept: accuracy, and
average precision at telling unknown images from pool images by the negative maximum softmax probability, with five known images
to one unknown, so that chance is 1/6 as in the paper. Controls: as many images drawn at random, and images chosen by a filter
that is asked for labels drawn at random, which keeps images whether or not they are hard. The filter here is one network, the
paper's two.
"""

from collections.abc import Callable, Iterator
from typing import Annotated

import torch
from annotated_types import Ge, Gt, Le, Lt
from torch import Tensor, nn

from assay.errors import StudyError
from assay.language.plugs import Parent, Plug
from assay.measuring.arm import Arm
from assay.measuring.evaluate import predict
from assay.metrics._ranking import largest_first
from assay.metrics.aupr import aupr
from assay.metrics.top1 import top1
from assay.protocols.ood import outside
from assay.training.network import Samples, Trained

METRICS = {
    "top1": "Accuracy on the pool [0 to 1, higher is better]: share of the pool's images classified correctly",
    "filtered": "Accuracy on filtered images [0 to 1, higher is better]: the same for images that the filter network fails on",
    "random": "Accuracy on random images [0 to 1, higher is better]: the same for as many images drawn from the pool at random",
    "wrong_label": "Accuracy where the filter missed random labels [0 to 1, higher is better]: the same for images that the "
    "filter network fails on when asked for labels drawn at random",
    "kept": "Share kept by the filter [0 to 1, neither is better]: share of the pool that the filter kept",
    "aupr": "Precision for unknown images [0 to 1, higher is better]: average precision for unknown images the filter is "
    "surest of, among five times as many known ones",
    "aupr_random": "Precision for random unknown images [0 to 1, higher is better]: the same for as many unknown images drawn "
    "at random",
}
KNOWN_TO_UNKNOWN = 5
PICTURES = 10


def filtered(
    arm: Arm,
    *,
    sieve: Annotated[Trained, Parent()],
    pool: Annotated[Callable, Plug("worlds")],
    unknown: Annotated[Callable, Plug("worlds")],
    score: Annotated[Callable, Plug("scores")] = "msp",
    most: Annotated[float, Ge(0), Lt(1)] = 0.15,
    surest: Annotated[float, Gt(0), Le(1)] = 0.2,
) -> Iterator[tuple[str, float]]:
    """Measure an arm on what the filter network leaves of the test splits of `pool` and, of further classes, `unknown`.

    sieve: the filter network. score: how sure a network is that an image is of a known class. most: the largest probability of
    the true class that is kept. surest: share of the unknown images that is kept, those the filter is surest of. StudyError if
    the filter fails on nothing.
    """
    images, labels = (split := arm.make(pool).test).images, split.labels
    answers = predict(arm.network, images)
    yield "top1", top1(answers, labels)
    judged = arm.once(_logits, sieve.network, images)
    kept = fails(judged, labels, most)
    order = torch.randperm(len(labels), generator=arm.generator("random"), device=labels.device)
    wrong = fails(judged, labels[order], most)
    if not kept.any():
        raise StudyError(f"protocol filtered: the filter network fails on none of {len(labels)} images; raise test in pool")
    yield "kept", kept.double().mean()
    arm.keep("filtered", images[kept][:PICTURES])
    yield "filtered", top1(answers[kept], labels[kept])
    yield "random", top1(answers[order[: kept.sum()]], labels[order[: kept.sum()]])
    yield "wrong_label", top1(answers[wrong], labels[wrong])

    strange = outside(arm, unknown).images
    confidence = predict(sieve.network, strange).double().softmax(1).amax(1)
    count = max(1, min(round(surest * len(strange)), len(images) // KNOWN_TO_UNKNOWN))
    hard = strange[largest_first(confidence)[:count]]
    arm.keep("unknown", hard[:PICTURES])
    known = images[order[: KNOWN_TO_UNKNOWN * count]]
    yield "aupr", _detection(arm, score, hard, known)
    yield "aupr_random", _detection(arm, score, strange[:count], known)


def _logits(arm: Arm, network: nn.Module, images: Tensor) -> Tensor:
    return predict(network, images)


def fails(logits: Tensor, labels: Tensor, most: float) -> Tensor:
    """Whether each row of logits (N, K) is wrong about its label (N,) and gives it a probability of at most `most`."""
    true = logits.double().softmax(1).gather(1, labels[:, None])[:, 0]
    return (logits.argmax(1) != labels) & (true <= most)


def _detection(arm: Arm, score: Callable, strange: Tensor, known: Tensor) -> float:
    sets = [Samples(arm.network, images, torch.zeros(len(images), dtype=torch.long)) for images in (strange, known)]
    return aupr(*(-score(samples).cpu().numpy() for samples in sets))
