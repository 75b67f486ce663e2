"""Whether a network decides by shape or by texture where the two disagree, and which spatial frequencies it needs.

Shape bias is that of Geirhos et al. 2019, as "An Extended Study of Human-like Behavior under Adversarial Training" (P098)
measures it: of the images whose shape and texture are of different classes, those answered by one of the two classes are counted,
and shape bias is the share of them answered by the shape's. The frequencies are P098's account of it: accuracy on images without
their high, or their low, frequencies.
"""

from collections.abc import Iterator
from typing import Annotated

from annotated_types import Ge, MinLen
from torch import Tensor

from assay.data.batch import TensorWorld
from assay.errors import StudyError, unknown
from assay.measuring.arm import Arm
from assay.measuring.evaluate import predict
from assay.metrics.top1 import top1
from assay.protocols._filters import high_pass, low_pass
from assay.training.network import Network

FACTORS = ("shape", "texture")
METRICS = {
    "top1": "Test accuracy [0 to 1, higher is better]: share of test images, whose cues agree, classified correctly",
    "shape_bias": "Shape bias [0 to 1, neither is better]: share of shape decisions among decisions for the shape's or the "
    "texture's class, cues in conflict",
    "decided": "Decisions for a cue [0 to 1, neither is better]: share of images with cues in conflict that get the shape's or"
    " the texture's class",
    "shape_top1": "Accuracy by shape alone [0 to 1, higher is better]: share of objects in one colour classified by their shape",
    "texture_top1": "Accuracy by texture alone [0 to 1, higher is better]: share of pictures of texture alone classified by it",
    "low_passed": "Accuracy without high frequencies [0 to 1, higher is better]: top1 with the frequencies above x cycles an "
    "image removed",
    "high_passed": "Accuracy without low frequencies [0 to 1, higher is better]: top1 with the frequencies up to x cycles an "
    "image removed",
}
SPLITS = ("conflict", "shape", "texture")


def cue_conflict(
    arm: Arm,
    *,
    low_cutoffs: Annotated[list[Annotated[float, Ge(0)]], MinLen(1)] = [2, 3, 4, 6],  # noqa: B006  (read, never altered)
    high_cutoffs: Annotated[list[Annotated[float, Ge(0)]], MinLen(1)] = [1, 2, 3, 4],  # noqa: B006
) -> Iterator[tuple]:
    """Measure an arm trained on the world cue_conflict; cutoffs in cycles an image, see protocols/_filters.

    StudyError if its world lacks the splits.
    """
    world, network = arm.world, arm.network
    check_splits(world)
    test, conflict = world.test, world.extra["conflict"]
    yield "top1", top1(predict(network, test.images), test.labels)
    answers = predict(network, conflict.images).argmax(1)
    yield "shape_bias", shape_bias(answers, conflict.factors["shape"], conflict.factors["texture"])
    yield "decided", float(((answers == conflict.factors["shape"]) | (answers == conflict.factors["texture"])).double().mean())
    for name in ("shape", "texture"):
        yield f"{name}_top1", _accuracy(network, world.extra[name].images, world.extra[name].labels)
    for cutoff in low_cutoffs:
        yield "low_passed", cutoff, _accuracy(network, low_pass(test.images, cutoff), test.labels)
    for cutoff in high_cutoffs:
        yield "high_passed", cutoff, _accuracy(network, high_pass(test.images, cutoff), test.labels)
    arm.keep("conflict", conflict.images[:12])


def check_splits(world: TensorWorld) -> None:
    """StudyError unless the world holds images with cues in conflict and with each cue alone."""
    for name in SPLITS:
        if name not in world.extra:
            raise StudyError(f"protocol cue_conflict: {unknown('split', name, world.extra)}; use the world cue_conflict")


def shape_bias(answers: Tensor, shape: Tensor, texture: Tensor) -> float:
    """Share of answers (N,) equal to the shape's class (N,) among those equal to it or the texture's; 0.5 if there are none."""
    by_shape, by_texture = (answers == shape).sum(), (answers == texture).sum()
    decided = int(by_shape + by_texture)
    return float(by_shape) / decided if decided else 0.5


def _accuracy(network: Network, images: Tensor, labels: Tensor) -> float:
    return top1(predict(network, images), labels)
