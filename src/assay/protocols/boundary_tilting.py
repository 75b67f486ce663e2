"""How far a linear classifier's boundary is tilted from the bisector of the two classes' means, and how near images lie to it.

"A Boundary Tilting Persepective on the Phenomenon of Adversarial Examples" (P029): the deviation angle theta between the weights
and the line through the means i and j of the classes, and the adversarial distance, the mean distance of images to the
boundary. Where the classes lie on their sides of it, that distance is ||j - i|| / 2 cos theta: the more tilted, the smaller.
"""

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from assay.attacks.deepfool import linearised
from assay.data.batch import whole
from assay.errors import StudyError
from assay.measuring.arm import Arm
from assay.measuring.evaluate import predict
from assay.metrics.top1 import top1

METRICS = {
    "top1": "Test accuracy [0 to 1, higher is better]: share of test images classified correctly",
    "train_top1": "Training accuracy [0 to 1, higher is better]: share of training images classified correctly",
    "angle": "Deviation angle [degrees, 0 to 180, lower is better]: between the weights and the line through the means of the "
    "training images",
    "distance": "Adversarial distance [Euclidean, pixel range 0 to 1, higher is better]: mean smallest Euclidean perturbation "
    "that changes the answer to a test image",
    "predicted": "Predicted distance [Euclidean, pixel range 0 to 1, higher is better]: half the distance of the means of the "
    "training images times the cosine of the angle",
    "mismatch": "Mismatch of the prediction [relative, neither is better]: the distance over the predicted one, minus 1",
}
PICTURES = 6
AFFINE_TOLERANCE = 1e-3  # of the weights' norm, which gradients at two images may differ by in single precision


def boundary_tilting(arm: Arm) -> Iterator[tuple[str, float]]:
    """Measure an arm. Raises StudyError unless the world has two classes and the network is affine."""
    world = arm.world
    if len(world.classes) != 2:
        raise StudyError(
            f"arm '{arm.name}': protocol boundary_tilting needs 2 classes, the world has {len(world.classes)}; use pick_classes"
        )
    train, test = whole(world.train.images), whole(world.test.images)
    w = weights(arm.network, train, arm.name)
    means = [train[world.train.labels == label].double().mean(0) for label in (0, 1)]
    apart = means[1] - means[0]
    cosine = float((w * apart).sum() / (w.norm() * apart.norm()))
    logits = predict(arm.network, test)
    distances = (logits[:, 1] - logits[:, 0]).double().abs() / w.norm()
    predicted = float(apart.norm()) / 2 * cosine
    yield "top1", top1(logits, world.test.labels)
    yield "train_top1", top1(predict(arm.network, train), world.train.labels)
    yield "angle", math.degrees(math.acos(max(-1.0, min(1.0, cosine))))
    yield "distance", float(distances.mean())
    yield "predicted", predicted
    yield "mismatch", float(distances.mean()) / predicted - 1
    sides = (logits[:PICTURES, 1] - logits[:PICTURES, 0]).double() / w.norm().square()
    arm.keep("on_the_boundary", test[:PICTURES] - sides[:, None, None, None] * w)
    arm.keep("weights", w / w.abs().max())


def weights(network: nn.Module, images: Tensor, name: str) -> Tensor:
    """The gradient (C, H, W) of the second logit minus the first; StudyError if it is not the same at two images."""
    _, gradients = linearised(network, images[:2])
    first, second = (gradients[:, 1] - gradients[:, 0]).double()
    if not torch.allclose(first, second, rtol=0, atol=AFFINE_TOLERANCE * float(first.norm())):
        raise StudyError(f"arm '{name}': protocol boundary_tilting needs an affine network; use model linear")
    return first
