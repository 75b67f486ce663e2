"""Whether a model answers as before when an image is zoomed, turned, moved, framed otherwise, blurred or recoloured; whether
it goes by shape or by texture, where the data have images in which the two disagree."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from assay.data.batch import whole
from assay.scorecard.subject import Subject
from assay.scorecard.values import Skipped, Value, mean
from assay.training import shim  # noqa: F401  (before torchvision)

# isort: split
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as transforms

METRICS = {
    "shifted_top1": "Accuracy when shifted [0 to 1, higher is better]: accuracy on images changed in one way (x)",
    "consistency": "Consistency when shifted [0 to 1, higher is better]: share of images changed in one way (x) that get the "
    "answer of the unchanged one",
    "mean_shifted_top1": "Accuracy over all shifts [0 to 1, higher is better]: accuracy when shifted, mean over the battery",
    "mean_consistency": "Consistency over all shifts [0 to 1, higher is better]: consistency, mean over the battery",
    "shape_bias": "Shape bias [0 to 1, neither is better]: share of decisions for the shape's class among decisions for the "
    "shape's or the texture's, cues in conflict",
    "cue_decisions": "Decisions for a cue [0 to 1, neither is better]: share of images with cues in conflict that get the "
    "shape's or the texture's class",
}
BILINEAR = InterpolationMode.BILINEAR


def _moved(share: float) -> Callable[[Tensor], Tensor]:
    """Moved right and down by a share of the side; what was the border's fills what comes in."""

    def move(images: Tensor) -> Tensor:
        by = round(share * images.shape[-1])
        padded = torch.nn.functional.pad(images, (by, 0, by, 0), mode="replicate")
        return padded[:, :, : images.shape[2], : images.shape[3]]

    return move


def _framed(row: float, column: float, share: float) -> Callable[[Tensor], Tensor]:
    """The part of this share of the sides, at a place between the first (0) and the last (1), enlarged to the whole."""

    def frame(images: Tensor) -> Tensor:
        side = round(share * images.shape[-1])
        top, left = (round(place * (images.shape[-1] - side)) for place in (row, column))
        return transforms.resized_crop(images, top, left, side, side, [images.shape[-1]] * 2, BILINEAR, antialias=True)

    return frame


def _shrunk(share: float) -> Callable[[Tensor], Tensor]:
    """The whole image in the middle of a grey frame."""
    return lambda images: transforms.affine(images, 0.0, [0, 0], share, [0.0, 0.0], BILINEAR, fill=0.5)


BATTERY: dict[str, Callable[[Tensor], Tensor]] = {
    "zoom in 1.25": _framed(0.5, 0.5, 0.8),
    "zoom in 1.5": _framed(0.5, 0.5, 2 / 3),
    "zoom out 0.75": _shrunk(0.75),
    "rotation 10": lambda images: transforms.rotate(images, 10.0, BILINEAR),
    "rotation 30": lambda images: transforms.rotate(images, 30.0, BILINEAR),
    "translation 3%": _moved(0.03),
    "translation 10%": _moved(0.1),
    "framing top left": _framed(0.0, 0.0, 0.8),
    "framing top right": _framed(0.0, 1.0, 0.8),
    "framing bottom left": _framed(1.0, 0.0, 0.8),
    "framing bottom right": _framed(1.0, 1.0, 0.8),
    "mirror": transforms.horizontal_flip,
    "blur": lambda images: transforms.gaussian_blur(images, [_odd(images.shape[-1] / 16)] * 2),
    "grey": lambda images: transforms.rgb_to_grayscale(images, 3),
    "hue": lambda images: transforms.adjust_hue(images, 0.1),
    "saturation": lambda images: transforms.adjust_saturation(images, 2.0),
}
COLOURS = ("grey", "hue", "saturation")  # take three channels


def _odd(pixels: float) -> int:
    return 2 * max(1, round(pixels / 2)) + 1


def shifts(subject: Subject) -> Iterator[Value | Skipped]:
    """Accuracy and consistency under each of the battery, and over all."""
    images, answers, labels = subject.images, subject.logits.argmax(1), subject.labels
    right, same = [], []
    for name, change in BATTERY.items():
        if name in COLOURS and images.shape[1] != 3:
            yield Skipped("shifted_top1", f"{name}: the images are grey")
            continue
        with torch.no_grad():
            changed = subject.each(lambda part, change=change: subject.network(change(part).clamp(0, 1)), images).argmax(1)
        right.append((changed == labels).double().numpy(force=True))
        same.append((changed == answers).double().numpy(force=True))
        yield mean("shifted_top1", right[-1], name)
        yield mean("consistency", same[-1], name)
    yield mean("mean_shifted_top1", np.mean(right, axis=0))
    yield mean("mean_consistency", np.mean(same, axis=0))


def shape_bias(subject: Subject) -> Iterator[Value | Skipped]:
    """Shape against texture on the split "conflict" of a world that has it, as the world cue_conflict."""
    split = subject.world.extra.get("conflict")
    if split is None or not {"shape", "texture"} <= split.factors.keys():
        yield Skipped("shape_bias", "the data have no images whose shape and texture disagree; --data cue_conflict has")
        return
    images = whole(split.images[: subject.count])
    with torch.no_grad():
        answers = subject.each(subject.network, images).argmax(1)
    by_shape, by_texture = (answers == split.factors[name][: len(images)] for name in ("shape", "texture"))
    decided = by_shape | by_texture
    yield mean("cue_decisions", decided)
    if decided.any():
        yield mean("shape_bias", by_shape[decided])
    else:
        yield Skipped("shape_bias", "no image was answered by its shape's or its texture's class")
