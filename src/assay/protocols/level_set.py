"""Images that look like one class and are answered with full confidence as another, and the way back from them.

"Exploring Geometry of Blind Spots in Vision Models" (P006): Level Set Traversal (algorithm 1) walks from a source image towards a
target image of another class, orthogonally to the gradient of the loss on the source's class, with a small correction along
it, as long as the confidence in that class is within a tolerance of the source's. Measured where it ends: that confidence, how
near the target is, and the least confidence on the straight line back to the source, which the paper finds high throughout (the
level set is star-shaped). Beside it: the straight walk with the same tolerance, and an attack on the target image that aims at
the source's class. Likeness is SSIM (scikit-image) and Euclidean distance, where the paper also has a perceptual distance.
"""

from collections.abc import Callable, Iterator
from statistics import fmean
from typing import Annotated, Literal

import numpy as np
import torch
from annotated_types import Ge, Gt, Le
from skimage.metrics import structural_similarity
from torch import Tensor, nn

from assay.attacks._ball import norms
from assay.attacks._traversal import confidence, traverse
from assay.data.batch import whole
from assay.language.plugs import Plug
from assay.measuring.arm import Arm
from assay.measuring.evaluate import predict
from assay.metrics.top1 import top1

METRICS = {
    "top1": "Test accuracy [0 to 1, higher is better]: share of test images classified correctly",
    "source_confidence": "Confidence at the source [0 to 1, neither is better]: mean probability of the source's class at the "
    "source",
    "target_confidence": "Confidence at the target [0 to 1, neither is better]: mean probability of the source's class at the "
    "target",
    "confidence": "Confidence at the end [0 to 1, neither is better]: mean probability of the source's class where the way ends",
    "path_confidence": "Least confidence on the way back [0 to 1, neither is better]: least probability of the source's class "
    "on the straight line from there to the source, mean over pairs",
    "distance": "Distance to the target [from the source is 1, neither is better]: Euclidean distance from the end to the "
    "target over that from the source, mean over pairs",
    "ssim": "Similarity to the target [-1 to 1, neither is better]: structural similarity of the end to the target, mean over "
    "pairs",
}
PATH_POINTS = 21
PICTURES = 6


def level_set(
    arm: Arm,
    *,
    way: Literal["traversal", "straight", "attack"] = "traversal",
    attack: Annotated[Callable, Plug("attacks")] = "pgd",
    pairs: Annotated[int, Ge(1)] = 32,
    steps: Annotated[int, Ge(1)] = 200,
    rate: Annotated[float, Gt(0), Le(1)] = 0.02,
    alpha: Annotated[float, Ge(0)] = 0.001,
    eps: Annotated[float, Ge(0)] = 0.00784,
    tolerance: Annotated[float, Gt(0), Le(1)] = 0.2,
) -> Iterator[tuple[str, float]]:
    """Walk between pairs of test images that the network answers rightly. attack: for way attack, made on the targets with the
    sources' classes as labels. rate: share of the remaining way that a step goes. alpha: step of the correction along the
    gradient. eps: its bound in a pixel, 2/255 if not given. tolerance: how much confidence may be lost.
    """
    test = arm.world.test
    logits = predict(arm.network, test.images)
    yield "top1", top1(logits, test.labels)
    start, other = paired(logits.argmax(1) == test.labels, test.labels, pairs)
    images = whole(test.images)
    sources, targets, labels = images[start], images[other], test.labels[start]
    if way == "attack":
        ends = attack(arm.network, targets, labels, arm.generator("attack"))
    else:
        options = {
            "steps": steps,
            "rate": rate,
            "alpha": alpha,
            "eps": eps,
            "tolerance": tolerance,
            "along_level_set": way == "traversal",
        }
        ends = traverse(arm.network, sources, labels, targets, **options)
    yield "source_confidence", float(confidence(arm.network, sources, labels).mean())
    yield "target_confidence", float(confidence(arm.network, targets, labels).mean())
    yield "confidence", float(confidence(arm.network, ends, labels).mean())
    yield "path_confidence", float(least_between(arm.network, sources, ends, labels).mean())
    yield "distance", float((norms(ends - targets) / norms(sources - targets)).mean())
    yield "ssim", likeness(ends, targets)
    for name, shown in (("source", sources), ("end", ends), ("target", targets)):
        arm.keep(name, shown[:PICTURES])


def paired(right: Tensor, labels: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The first `count` rows answered rightly (bool, one a row) and, for each, the next one of another class, beginning
    anew after the last. Of a network that answers one class rightly at most, wrong answers count too.
    """
    rows = right.nonzero().flatten()
    if len(labels[rows].unique()) < 2:
        rows = torch.arange(len(labels), device=labels.device)
    sources = rows[:count]
    targets = sources.clone()
    for shift in range(1, len(rows)):
        alike = labels[targets] == labels[sources]
        if not alike.any():
            break
        targets = torch.where(alike, rows.roll(-shift)[: len(sources)], targets)
    return sources, targets


def least_between(network: nn.Module, sources: Tensor, ends: Tensor, labels: Tensor) -> Tensor:
    """Least probability of the labels (B,) at evenly spaced points of the straight lines from sources to ends."""
    shares = torch.linspace(0, 1, PATH_POINTS).tolist()
    return torch.stack([confidence(network, torch.lerp(sources, ends, share), labels) for share in shares]).amin(0)


def likeness(images: Tensor, others: Tensor) -> float:
    """Mean structural similarity of images (B, C, H, W) in [0, 1], windows of 7 pixels."""
    pairs: Iterator[tuple[np.ndarray, np.ndarray]] = zip(images.cpu().numpy(), others.cpu().numpy(), strict=True)
    return fmean(structural_similarity(one, other, channel_axis=0, data_range=1.0, win_size=7) for one, other in pairs)
