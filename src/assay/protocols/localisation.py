"""Whether a heat map finds the object of the class it was asked for, among several, and agrees with what occlusion says.

"Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization" (P313): localisation by pointing and by boxes
(section 4), class discrimination and faithfulness to occlusion maps (section 5), adversarial images and bias in the data (section
6). The paper asks people which class a map shows; here the objects' masks tell.
"""

from collections.abc import Callable, Iterator
from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor

from assay.attributions.occlusion import occlusion
from assay.language.plugs import Plug
from assay.measuring.arm import Arm
from assay.measuring.evaluate import batched, predict
from assay.metrics.box_overlap import box_overlap
from assay.metrics.pointing import pointing
from assay.metrics.rank_correlation import rank_correlation
from assay.protocols._first_layer import first_filters

FACTORS = ("objects", "masks", "boxes")
METRICS = {
    "accuracy": "Accuracy [0 to 1, higher is better]: share of images whose answer is the class of one of their objects; under"
    " the attack where there is one",
    "pointing": "Pointing game [0 to 1, higher is better]: share of (image, class) pairs whose hottest pixel lies on the "
    "object of that class",
    "discrimination": "Discrimination of classes [0 to 1, higher is better]: share of (image, class) pairs with more heat a "
    "pixel on the class's object than the other, ties half",
    "box_error": "Localisation error [0 to 1, lower is better]: share of (image, class) pairs whose box around the heat "
    "overlaps the object's by less than one half",
    "faithfulness": "Faithfulness to occlusion [-1 to 1, higher is better]: mean rank correlation with the occlusion map of "
    "the same class",
    "cue_share": "Heat on the cue's corner [0 to 1, neither is better]: share of the heat for the network's answer that lies "
    "in the top left corner, where a cue may be",
}
ENOUGH_OVERLAP = 0.5
SHOWN = 6  # images kept to look at, each once for every class asked for
CORNER = 6  # the corner's side is the image's side over this, as in worlds/shapes


def localisation(
    arm: Arm,
    *,
    attribution: Annotated[Callable, Plug("attributions")],
    attack: Annotated[Callable, Plug("attacks")] | None = None,
    count: Annotated[int, Ge(1)] = 192,
    occluded: Annotated[int, Ge(1)] = 48,
) -> Iterator[tuple]:
    """On the first `count` test images of a world with two objects (factors "objects", "masks", "boxes"), both classes asked for.

    attack: applied to the images before maps are made, against one object's class and then the other's. occluded: how many
    images are compared with occlusion maps. Heat is the map summed over channels, negative values cut off.
    """
    test = arm.world.test
    images, objects = test.images[:count], test.factors["objects"][:count]
    if attack is not None:
        for labels in objects.T:
            images = attack(arm.network, images, labels, arm.generator("attack"))
    answers = predict(arm.network, images).argmax(1)
    yield "accuracy", float((answers[:, None] == objects).any(1).double().mean())
    asked = [_heat(attribution, arm, images, labels) for labels in objects.T]
    own, other = (
        torch.cat(list(test.factors["masks"][:count].unbind(1))),
        torch.cat(list(test.factors["masks"][:count].flip(1).unbind(1))),
    )
    boxes = torch.cat(list(test.factors["boxes"][:count].unbind(1)))
    heat = torch.cat(asked)
    yield "pointing", pointing(heat, own)
    yield "discrimination", discrimination(heat, own, other)
    yield "box_error", float((box_overlap(heat.cpu().numpy(), boxes.cpu().numpy()) < ENOUGH_OVERLAP).mean())
    yield "faithfulness", _faithfulness(arm, images[:occluded], objects[:occluded], [maps[:occluded] for maps in asked])
    yield "cue_share", corner_share(_heat(attribution, arm, images, answers))
    arm.keep("images", images[:SHOWN].repeat_interleave(len(asked), 0))
    arm.keep("maps", torch.stack([maps[:SHOWN] for maps in asked], 1).flatten(0, 1).unsqueeze(1))
    if (filters := first_filters(arm.network)) is not None:
        arm.keep("filters", filters)


def _heat(attribution: Callable, arm: Arm, images: Tensor, targets: Tensor) -> Tensor:
    """Positive heat (B, H, W)."""
    return batched(lambda *part: attribution(arm.network, *part), images, targets).sum(1).clamp(min=0).detach()


def discrimination(heat: Tensor, own: Tensor, other: Tensor) -> float:
    """Share of maps (B, H, W) with a higher mean on own (B, H, W) than on other; equal means count half."""
    first, second = ((heat * mask).sum((1, 2)) / mask.sum((1, 2)).clamp_min(1) for mask in (own, other))
    return float(((first > second).double() + 0.5 * (first == second).double()).mean())


def corner_share(heat: Tensor) -> float:
    """Mean share of a map's heat (B, H, W) in the corner square; a map without heat has none there."""
    side = max(2, heat.shape[-1] // CORNER)
    return float((heat[:, :side, :side].sum((1, 2)) / heat.sum((1, 2)).clamp_min(1e-12)).double().mean())


def _faithfulness(arm: Arm, images: Tensor, objects: Tensor, asked: list[Tensor]) -> float:
    """Mean rank correlation with occlusion maps, over images and classes."""
    reference = [occlusion(arm.network, images, labels).squeeze(1) for labels in objects.T]
    return float(rank_correlation(torch.cat(asked).cpu().numpy(), torch.cat(reference).cpu().numpy()).mean())
