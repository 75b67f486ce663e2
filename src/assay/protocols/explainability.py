"""How good an attribution's maps of a network are: where they point, and what the erasure of pixels in their order does.

The measures of "How explainable are adversarially-robust CNNs?" (P288): pointing game and localisation by boxes against the
object's mask; insertion and deletion, which the paper finds to depend on how confident a network is, whatever the map. So both
are also taken with the network's logits scaled until its mean confidence on the images is a given one, the same for all
networks, which changes neither the network's answers nor the map.
"""

from collections.abc import Callable, Iterator
from typing import Annotated

import torch
from annotated_types import Ge, Gt, Lt
from torch import Tensor

from assay.language.plugs import Plug
from assay.measuring.arm import Arm
from assay.measuring.evaluate import batched, predict
from assay.metrics._erase import area, blurred, erased_logits
from assay.metrics.box_overlap import box_overlap
from assay.metrics.pointing import pointing
from assay.metrics.top1 import top1

FACTORS = ("mask", "boxes")
METRICS = {
    "top1": "Test accuracy [0 to 1, higher is better]: share of test images classified correctly",
    "confidence": "Confidence [0 to 1, neither is better]: mean probability of the answer on the explained images",
    "pointing": "Pointing game [0 to 1, higher is better]: share of images whose hottest pixel lies on the object",
    "overlap": "Overlap of boxes [0 to 1, higher is better]: mean intersection over union of the box around the heat with the "
    "object's",
    "insertion": "Insertion [0 to 1, higher is better]: area under the label's probability as pixels come back, hottest first",
    "deletion": "Deletion [0 to 1, lower is better]: area under the label's probability as pixels go, hottest first",
    "matched_insertion": "Insertion at matched confidence [0 to 1, higher is better]: insertion with the logits scaled to the "
    "given mean confidence",
    "matched_deletion": "Deletion at matched confidence [0 to 1, lower is better]: deletion with the logits scaled to the "
    "given mean confidence",
}
FILL = 0.5  # of deleted pixels; insertion starts from the image blurred
HALVINGS = 30
SHOWN = 8  # images kept to look at


def explainability(
    arm: Arm,
    *,
    attribution: Annotated[Callable, Plug("attributions")],
    count: Annotated[int, Ge(1)] = 96,
    steps: Annotated[int, Ge(1)] = 8,
    confidence: Annotated[float, Gt(0), Lt(1)] = 0.6,
) -> Iterator[tuple]:
    """Explain the label on the first `count` test images of a world with one object (factors "mask", "boxes").

    steps: portions in which pixels are erased. confidence: to which logits are scaled. Heat is the absolute value summed over
    channels for a map of each channel, the positive part for a map of one.
    """
    test, network = arm.world.test, arm.network
    images, labels = test.images[:count], test.labels[:count]
    yield "top1", top1(predict(network, test.images), test.labels)
    logits = predict(network, images)
    yield "confidence", mean_confidence(logits, 1.0)
    heat = heat_of(batched(lambda *part: attribution(network, *part), images, labels))
    yield "pointing", pointing(heat, test.factors["mask"][:count])
    above = heat - heat.amin((1, 2), keepdim=True)  # a map of probabilities is nowhere 0
    yield "overlap", float(box_overlap(above.cpu().numpy(), test.factors["boxes"][:count, 0].cpu().numpy()).mean())
    scale = scale_for(logits, confidence)
    grounds = {"insertion": blurred(images), "deletion": torch.full_like(images, FILL)}
    for metric, erased in grounds.items():
        insert = metric == "insertion"
        answers = erased_logits(network, images, heat[:, None], erased=erased, steps=steps, insert=insert)
        yield metric, area(answers, labels)
        yield f"matched_{metric}", area(scale * answers, labels)
    arm.keep("images", images[:SHOWN])
    arm.keep("maps", heat[:SHOWN, None])


def heat_of(maps: Tensor) -> Tensor:
    """Heat (B, H, W), not negative, of maps (B, 1 or C, H, W)."""
    heat = maps.clamp(min=0).sum(1) if maps.shape[1] == 1 else maps.abs().sum(1)
    return heat.detach()


def mean_confidence(logits: Tensor, scale: float) -> float:
    """Mean over the rows of scaled logits (N, K) of the largest probability."""
    return float((scale * logits.double()).softmax(1).amax(1).mean())


def scale_for(logits: Tensor, confidence: float) -> float:
    """The factor on logits (N, K) at which the mean confidence is as given, or nearest to it from e^-7 to e^7, by bisection."""
    low, high = -7.0, 7.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if mean_confidence(logits, float(torch.tensor(middle).exp())) < confidence:
            low = middle
        else:
            high = middle
    return float(torch.tensor((low + high) / 2).exp())
