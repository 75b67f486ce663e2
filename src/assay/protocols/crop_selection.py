"""Whether a network's answer survives a camera that turns by one pixel, and what choosing the crop by its content does for it.

The measures of "Lost in Translation: Modern Neural Networks Still Struggle With Small Realistic Image Transformations" (P128):
a window moves over a larger image by up to one pixel, so that new pixels come in at one side (a realistic shift), or an
image is shifted circularly; an image is flipped if any shift changes the answer. Robust Inference by Crop Selection scores
every crop of the window by a fixed function of the crop's pixels and classifies the crop of largest score: both windows contain
most of the same crops, and as long as the best of all is among them, the classifier sees the same pixels. For circular shifts
the crops wrap around, all images have the same ones, and the answer cannot change. The guarantee holds for any score; the two
here are this project's own: detail near the crop's centre, and the response of a random filter.
"""

from collections.abc import Callable, Iterator
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from annotated_types import Ge
from torch import Tensor

from assay.errors import StudyError
from assay.language.plugs import Plug
from assay.measuring.arm import Arm
from assay.measuring.evaluate import batched, predict
from assay.metrics.top1 import top1

METRICS = {
    "top1": "Accuracy on central windows [0 to 1, higher is better]: share of windows at the centre of the canvas classified "
    "correctly",
    "flips": "Images flipped by a shift [0 to 1, lower is better]: share of images whose answer some realistic shift changes",
    "consistency": "Consistency under shifts [0 to 1, higher is better]: share of realistic shifts, over images, that keep the"
    " answer",
    "same_pixels": "Shifts that show the same pixels [0 to 1, higher is better]: share of realistic shifts, over images, after"
    " which the network is shown the same pixels",
    "cyclic_flips": "Images flipped by a circular shift [0 to 1, lower is better]: share of images whose answer some circular "
    "shift changes",
    "cyclic_top1": "Accuracy of circular crops [0 to 1, higher is better]: share of images classified correctly when they may "
    "be cropped circularly",
}
PICTURES = 6

Score = Callable[[Tensor, int], Tensor]


def crop_selection(
    arm: Arm,
    *,
    canvas: Annotated[Callable, Plug("worlds")],
    window: Annotated[int, Ge(2)] = 24,
    reach: Annotated[int, Ge(1)] = 1,
    select: Literal["centre", "detail", "filter"] = "centre",
) -> Iterator[tuple[str, float]]:
    """Classify crops, as large as training images, of a window that moves by 0 to `reach` pixels each way.

    canvas: a world of larger images, of which the window shows the centre. window: its side in pixels. select: the crop is the
    window's centre, the one of most detail, or the one to which a random filter responds most. Circular shifts are of
    the arm's own test images. StudyError if the canvas has no room for the window's shifts.
    """
    size = arm.world.test.images.shape[-1]
    drawn = arm.make(canvas).test
    room = drawn.images.shape[-1] - window
    if room < 2 * reach or window < size:
        raise StudyError(
            f"protocol crop_selection: window = {window} does not lie between the {size} px of training images and the"
            f" {drawn.images.shape[-1]} px of the canvas less {2 * reach}; raise size in canvas, or change window"
        )
    score = _scores(select, arm.generator("filter"), size)
    shifts = [(down, right) for down in range(-reach, reach + 1) for right in range(-reach, reach + 1)]
    middle = shifts.index((0, 0))
    start = room // 2
    shown = [
        selected(cut(drawn.images, *_everywhere(drawn.images, start + down, start + right), window), size, score)
        for down, right in shifts
    ]
    answers = torch.stack([predict(arm.network, images).argmax(1) for images in shown], dim=1)
    yield "top1", (answers[:, middle] == drawn.labels).double().mean()
    yield "flips", flipped(answers, middle)
    others = [number for number in range(len(shifts)) if number != middle]
    yield "consistency", (answers[:, others] == answers[:, middle, None]).double().mean()
    yield "same_pixels", torch.stack([_equal(shown[other], shown[middle]) for other in others]).double().mean()
    arm.keep("shown", shown[middle][:PICTURES])

    own = arm.world.test.images[: len(drawn)]
    rolled = [own.roll(shift, (2, 3)) for shift in shifts]
    logits = [predict(arm.network, images if score is None else selected(wrapped(images), size, score)) for images in rolled]
    yield "cyclic_flips", flipped(torch.stack(logits, dim=1).argmax(2), middle)
    yield "cyclic_top1", top1(logits[middle], arm.world.test.labels[: len(drawn)])


def flipped(answers: Tensor, middle: int) -> Tensor:
    """Share of rows of answers (N, shifts) in which any differs from that of the shift number `middle`."""
    return (answers != answers[:, middle, None]).any(1).double().mean()


def cut(images: Tensor, top: Tensor, left: Tensor, size: int) -> Tensor:
    """The square of `size` pixels of each image (N, C, H, W) that starts at row top (N,) and column left (N,)."""
    steps = torch.arange(size, device=images.device)
    rows, columns = top[:, None, None] + steps[:, None], left[:, None, None] + steps
    # Indexing around the channel axis puts it last.
    return images[torch.arange(len(images), device=images.device)[:, None, None], :, rows, columns].permute(0, 3, 1, 2)


def wrapped(images: Tensor) -> Tensor:
    """Images (N, C, H, W) continued circularly, so that their crops of side H are all circular shifts, each once."""
    return F.pad(images, (0, images.shape[3] - 1, 0, images.shape[2] - 1), mode="circular")


def selected(windows: Tensor, size: int, score: Score | None) -> Tensor:
    """The crop (N, C, size, size) of largest score of each window (N, C, W, W), or that at the centre without a score."""
    if score is None:
        middle = (windows.shape[-1] - size) // 2
        return cut(windows, *_everywhere(windows, middle, middle), size)
    scores = batched(lambda part: score(part, size), windows, size=128)
    best = scores.flatten(1).argmax(1)
    return cut(windows, best // scores.shape[2], best % scores.shape[2], size)


def _everywhere(images: Tensor, top: int, left: int) -> tuple[Tensor, Tensor]:
    ones = torch.ones(len(images), dtype=torch.long, device=images.device)
    return top * ones, left * ones


def _equal(one: Tensor, other: Tensor) -> Tensor:
    return (one == other).flatten(1).all(1)


def _scores(select: str, generator: torch.Generator, size: int) -> Score | None:
    if select == "centre":
        return None
    if select == "detail":
        return central_detail
    weights = torch.randn((size, size), generator=generator, device=generator.device, dtype=torch.float64)
    return lambda windows, side: _responses(windows.double().mean(1, keepdim=True), weights - weights.mean())


def central_detail(windows: Tensor, size: int) -> Tensor:
    """Score (N, P, P) of every crop of side `size`: grey differences to the pixels below and to the right, summed over the
    crop with a Gaussian weight around its centre, of deviation a quarter of the side.
    """
    grey = windows.double().mean(1, keepdim=True)
    detail = grey.diff(dim=2).abs()[..., :-1] + grey.diff(dim=3).abs()[:, :, :-1]
    place = torch.arange(size - 1, device=windows.device, dtype=torch.float64) - (size - 2) / 2
    bell = (-(place**2) / (2 * (size / 4) ** 2)).exp()
    return _responses(detail, bell[:, None] * bell)


def _responses(maps: Tensor, weights: Tensor) -> Tensor:
    """Sums (N, P, Q) of maps (N, 1, H, W) under the weights (h, w) at every place."""
    return F.conv2d(maps, weights[None, None])[:, 0]
