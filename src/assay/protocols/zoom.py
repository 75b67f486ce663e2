"""How much of what a network gets wrong is framing: accuracy under zooms, the best of all zooms, and test-time augmentation.

"Zoom is what you need: An empirical study of the power of zoom and spatial biases in image classification" (P135): an image is
resized to a zoom scale and a crop of the network's input size is taken at each of nine anchors, the centres of a 3 x 3 grid of
patches. Here crops are moved inwards where they would stick out (the paper fills up with black), so that the whole image is one
zoom, not nine. An image counts for the oracle if any of these is classified correctly. Since many
guesses hit any class now and then, the oracle can be asked for wrong labels instead, drawn at random, as its control. Test-time
augmentations give one answer: the mean probability over all zooms, the most confident zoom, the usual five crops, or MEMO, which
adapts the network to each image (see _memo.py).
"""

from collections.abc import Callable, Iterator
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from annotated_types import Ge, Gt, MinLen
from torch import Tensor, nn

from assay.data.batch import Batch, TensorSplit
from assay.language.plugs import Plug
from assay.measuring.arm import Arm
from assay.measuring.evaluate import predict
from assay.metrics.top1 import top1
from assay.protocols._memo import adapted_logits

METRICS = {
    "own_top1": "Test accuracy [0 to 1, higher is better]: share of test images of the arm's own world classified correctly",
    "top1": "Accuracy, spread objects [0 to 1, higher is better]: share of images of the spread world classified correctly by "
    "the arm's method",
    "biased_top1": "Accuracy, central objects [0 to 1, higher is better]: the same for the centre-biased world",
    "zoom_top1": "Accuracy at a zoom, spread objects [0 to 1, higher is better]: share of images of the spread world "
    "classified correctly at one zoom (x: scale and anchor)",
    "biased_zoom_top1": "Accuracy at a zoom, central objects [0 to 1, higher is better]: the same for the centre-biased world",
}
ANCHORS = tuple((row, column) for row in range(3) for column in range(3))
CENTRE = (1, 1)
PLACES = ("top left", "top", "top right", "left", "centre", "right", "bottom left", "bottom", "bottom right")
FIVE_CROP_ZOOM = 1.25
PICTURES = 6


def zoom(
    arm: Arm,
    *,
    spread: Annotated[Callable, Plug("worlds")],
    biased: Annotated[Callable, Plug("worlds")],
    method: Literal["centre", "five_crop", "mean", "confident", "oracle", "wrong_oracle", "memo"] = "centre",
    scale: Annotated[float, Ge(1)] = 1.125,
    scales: Annotated[list[Annotated[float, Ge(1)]], MinLen(1)] = [1.0, 2.0],  # noqa: B006  (read, never altered)
    copy_by: Annotated[Callable, Plug("augment")] = "augmix",
    copies: Annotated[int, Ge(1)] = 16,
    rate: Annotated[float, Gt(0)] = 0.005,
) -> Iterator[tuple]:
    """Classify images of two worlds larger than the network's input.

    spread, biased: worlds with objects anywhere and at the centre. method: how one answer is made. scale: zoom of a single
    centre crop, 1 for the whole image; memo uses it too. scales: zooms of the grid. copy_by, copies, rate: of MEMO, the
    augmentation that makes copies of an image, how many, and the length of its step.
    """
    test = arm.world.test
    yield "own_top1", top1(predict(arm.network, test.images), test.labels)
    size = test.images.shape[-1]
    for prefix, world in (("", spread), ("biased_", biased)):
        split = arm.make(world).test
        if method in ("centre", "five_crop", "memo"):
            yield f"{prefix}top1", top1(_single(arm, split.images, size, method, scale, copy_by, copies, rate), split.labels)
            continue
        logits = arm.once(grid_logits, arm.network, split.images, size, scales)
        labels = split.labels
        if method == "wrong_oracle":
            step = torch.randint(1, logits.shape[2], labels.shape, generator=arm.generator("wrong"), device=labels.device)
            labels = (labels + step) % logits.shape[2]
        yield f"{prefix}top1", _answered(logits, labels, method)
        if method == "oracle":
            names = [f"{factor:g}x {PLACES[3 * row + column]}" for factor, (row, column) in grid(scales)]
            for name, each in zip(names, logits.unbind(1), strict=True):
                yield f"{prefix}zoom_top1", name, top1(each, labels)
            _keep(arm, split, size, scales, prefix)


def resized(images: Tensor, size: int) -> Tensor:
    """Images (N, C, H, W) at `size` pixels, antialiased."""
    return F.interpolate(images, size=(size, size), mode="bilinear", antialias=True, align_corners=False).clamp(0, 1)


def crop_at(images: Tensor, size: int, row: float, column: float) -> Tensor:
    """Crops (N, C, size, size) centred at a place given in image sides, or as near to it as the borders allow."""
    room = images.shape[-1] - size
    top, left = (min(max(round(place * images.shape[-1] - size / 2), 0), room) for place in (row, column))
    return images[:, :, top : top + size, left : left + size]


def zoomed(images: Tensor, size: int, factor: float, anchor: tuple[int, int]) -> Tensor:
    """Images resized to `factor` times the network's input size, cropped to that at an anchor of the 3 x 3 grid."""
    return crop_at(resized(images, round(factor * size)), size, *((place + 0.5) / 3 for place in anchor))


def grid_logits(arm: Arm, network: nn.Module, images: Tensor, size: int, scales: list[float]) -> Tensor:
    """(N, Z, K) logits of every image at every zoom."""
    return torch.stack([predict(network, zoomed(images, size, *each)) for each in grid(scales)], dim=1)


def grid(scales: list[float]) -> list[tuple[float, tuple[int, int]]]:
    """Scales with anchors: all nine of each scale, but for 1, which shows the whole image, the centre alone."""
    return [(factor, anchor) for factor in scales for anchor in (ANCHORS if factor > 1 else (CENTRE,))]


def _answered(logits: Tensor, labels: Tensor, method: str) -> float:
    """Accuracy of logits (N, Z, K) by the mean over zooms or the most confident one, or the share right at any zoom."""
    if method == "mean":
        return top1(logits.double().softmax(2).mean(1), labels)
    if method == "confident":
        best = logits.double().softmax(2).amax(2).argmax(1)
        return top1(logits[torch.arange(len(logits), device=logits.device), best], labels)
    return (logits.argmax(2) == labels[:, None]).any(1).double().mean().item()


def _single(
    arm: Arm, images: Tensor, size: int, method: str, scale: float, copy_by: Callable, copies: int, rate: float
) -> Tensor:
    """Logits, or mean probabilities, of the centre crop, of five crops, or of the centre crop by MEMO."""
    if method == "five_crop":
        return torch.stack([predict(arm.network, part).softmax(1) for part in five_crops(images, size)]).mean(0)
    crops = zoomed(images, size, scale, CENTRE)
    if method == "centre":
        return predict(arm.network, crops)
    views = _copied(arm, crops, copy_by, copies)
    return adapted_logits(arm.network, crops, views, rate)


def five_crops(images: Tensor, size: int) -> list[Tensor]:
    """The four corners and the centre of images resized to 1.25 times `size`."""
    larger = resized(images, round(FIVE_CROP_ZOOM * size))
    end = larger.shape[-1] - size
    corners = [larger[:, :, row : row + size, column : column + size] for row in (0, end) for column in (0, end)]
    return [*corners, crop_at(larger, size, 0.5, 0.5)]


def _copied(arm: Arm, images: Tensor, copy_by: Callable, copies: int) -> Tensor:
    """(N, copies, C, H, W) images augmented, each copy on its own."""
    many = images.repeat_interleave(copies, dim=0)
    labels = torch.zeros(len(many), dtype=torch.long, device=many.device)
    batch = Batch(many, labels, F.one_hot(labels, len(arm.world.classes)).float(), labels, many)
    return copy_by(batch, arm.generator("copies")).images.unflatten(0, (len(images), copies))


def _keep(arm: Arm, split: TensorSplit, size: int, scales: list[float], prefix: str) -> None:
    few = split.images[:PICTURES]
    arm.keep(f"{prefix}whole", resized(few, size))
    arm.keep(f"{prefix}zoomed", zoomed(few, size, max(scales), CENTRE))
