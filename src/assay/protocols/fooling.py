"""Whether a network is sure of images that show nothing: evolved ones, ones found by gradient ascent, static.

"Deep Neural Networks are Easily Fooled: High Confidence Predictions for Unrecognizable Images" (P082): MAP-Elites evolution with
a champion for each class, of pixels (direct encoding: a tenth of them changed by polynomial mutation) or of compositional
pattern-producing networks (indirect encoding), and gradient ascent with an L2 penalty from the mean image. The controls are
images drawn without selection, static and training images with their pixels shuffled, of which the best for each class is kept.
That images show nothing is measured by their distance to the nearest training image, and by whether a second network sees the
same in them. Simplified: pattern-producing networks have a fixed largest size instead of growing by NEAT, and the rate of
mutation stays constant.
"""

import math
from collections.abc import Iterator
from functools import partial
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt, Lt
from torch import Tensor

from assay.attacks._evolution import Cppn, Direct, Fresh, climb, evolve, shuffled_pixels, static
from assay.data.batch import whole
from assay.language.plugs import Parent
from assay.measuring.arm import Arm
from assay.measuring.evaluate import predict
from assay.metrics.top1 import top1
from assay.training.network import Trained

METRICS = {
    "top1": "Test accuracy [0 to 1, higher is better]: share of test images classified correctly",
    "reached": "Classes fooled [0 to 1, lower is better]: share of classes for which an image was found that the network puts "
    "there with more than 99%",
    "confidence": "Confidence in the image found [0 to 1, lower is better]: median over classes of the probability of the "
    "image found for the class",
    "nines": "Nines of confidence [-log10(1 - p), lower is better]: the same, so that it does not saturate: 4 is 99.99%",
    "distance": "Distance to training images [test images are 1, neither is better]: median over those images of the distance "
    "to the nearest training image, over the same for test images",
    "transfer": "Transfer to a second network [0 to 1, lower is better]: share of those images to which a second network gives"
    " the same class",
    "transfer_confidence": "Confidence of a second network [0 to 1, lower is better]: median over those images of the "
    "probability that the second network gives the class",
}
SURE = 0.99


def fooling(
    arm: Arm,
    *,
    other: Annotated[Trained, Parent()],
    method: Literal["direct", "cppn", "gradient", "noise", "shuffled"] = "direct",
    generations: Annotated[int, Ge(1)] = 300,
    children: Annotated[int, Ge(1)] = 100,
    runs: Annotated[int, Ge(1)] = 1,
    steps: Annotated[int, Ge(1)] = 100,
    length: Annotated[float, Gt(0)] = 0.2,
    decay: Annotated[float, Ge(0), Lt(1)] = 0.01,
) -> Iterator[tuple[str, float]]:
    """Find an image for each class of the test split in each of `runs` searches, and look at it.

    other: the second network. generations, children: how long evolution goes on, and how many images it tries each time; the
    controls try as many. steps, length, decay: of the gradient ascent, in units of the [0, 1] pixel range.
    """
    test = arm.world.test
    yield "top1", top1(predict(arm.network, test.images), test.labels)
    classes = int(test.labels.max()) + 1
    train = whole(arm.world.train.images)[arm.world.train.labels < classes]
    targets = torch.arange(classes, device=arm.device).repeat(runs)
    generator = arm.generator("fooling")
    if method == "gradient":
        jitter = 0.01 * torch.randn((len(targets), *train.shape[1:]), generator=generator, device=arm.device)
        images = climb(arm.network, (train.mean(0) + jitter).clamp(0, 1), targets, steps, length, decay)
    else:
        encoding = _encoding(method, train)
        images = evolve(arm.network, encoding, classes, generations, children, generator, runs).flatten(0, 1)
    logits = predict(arm.network, images)
    own, foreign = (_probability(answers, targets) for answers in (logits, predict(other.network, images)))
    yield "reached", (own > SURE).double().mean()
    yield "confidence", own.median()
    yield "nines", nines(logits, targets).median()
    yield "distance", nearest(images, train).median() / nearest(whole(test.images), train).median()
    yield "transfer", top1(predict(other.network, images)[:, :classes], targets)
    yield "transfer_confidence", foreign.median()
    arm.keep("images", images[:classes])


def _encoding(method: str, train: Tensor) -> Direct | Cppn | Fresh:
    shape = tuple(train.shape[1:])
    if method == "direct":
        return Direct(shape)
    if method == "cppn":
        return Cppn(shape)
    return Fresh(partial(static, shape) if method == "noise" else partial(shuffled_pixels, train))


def _probability(logits: Tensor, targets: Tensor) -> Tensor:
    return logits.double().softmax(1).gather(1, targets[:, None])[:, 0]


def nines(logits: Tensor, targets: Tensor) -> Tensor:
    """-log10 of the probability (N,) that all classes but the target's have together, from logits (N, K).

    It is added up from theirs: 1 less the target's rounds to 0 where a network is certain.
    """
    shares = logits.double().log_softmax(1).scatter(1, targets[:, None], float("-inf"))
    return -shares.logsumexp(1) / math.log(10)


def nearest(images: Tensor, train: Tensor) -> Tensor:
    """Euclidean distance (N,) of each image to the nearest training image."""
    return torch.cdist(images.flatten(1), train.flatten(1)).amin(1)
