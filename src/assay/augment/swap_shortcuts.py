"""Breaks one shortcut of each image at a time: a background, or a co-occurring object, as images of another class have it.

The augmentations of Last Layer Ensemble on UrbanCars, "A Whac-A-Mole Dilemma: Shortcuts Come in Multiples Where Mitigating
One Amplifies Others" (P093). Every image is equally likely to have nothing or one of the shortcuts swapped. It is put together
from its own core object, the empty background of a random image, and the co-object of another: both of the image's class, but
for the shortcut that is swapped, which is of another class. Donors come from the batch (in the paper from the whole training
split). UrbanCars' images are made of such parts to begin with; the images here are rendered in one piece, so those with nothing
swapped are put together too, and seams and light do not give away what was done.
"""

from dataclasses import replace
from typing import Annotated, Literal

import torch
from annotated_types import MinLen
from torch import Tensor

from assay.data.batch import Batch
from assay.errors import StudyError

FACTORS = ("masks", "backdrop")


def swap_shortcuts(
    batch: Batch,
    generator: torch.Generator,
    *,
    shortcuts: Annotated[list[Literal["background", "co_object"]], MinLen(1)] = ["background", "co_object"],  # noqa: B006  (read, never altered)
) -> Batch:
    """Images put together anew; factor "shift" (B,) says how: 0 not at all, i swaps shortcuts[i - 1].

    Needs the factors masks (B, 2, H, W) of core and co-object and backdrop (B, C, H, W), the empty background; StudyError
    without them.
    """
    for name in FACTORS:
        if name not in batch.factors:
            raise StudyError(
                f"augment swap_shortcuts: the world has no factor '{name}' (needed: {', '.join(FACTORS)}); use urban_shapes"
            )
    shift = torch.randint(len(shortcuts) + 1, (len(batch),), generator=generator, device=batch.images.device)
    donors = {}
    for shortcut in ("background", "co_object"):
        swapped = torch.zeros_like(shift, dtype=torch.bool)
        if shortcut in shortcuts:
            swapped = shift == shortcuts.index(shortcut) + 1
        donors[shortcut] = pick(batch.labels, swapped, generator)
    core, co_object = batch.factors["masks"].to(batch.images.dtype).unsqueeze(2).unbind(1)
    made = batch.factors["backdrop"][donors["background"]]
    made = paste(made, batch.images[donors["co_object"]], co_object[donors["co_object"]])
    images = paste(made, batch.images, core).contiguous(memory_format=torch.channels_last)
    return replace(batch, images=images, factors={**batch.factors, "shift": shift})


def pick(labels: Tensor, other: Tensor, generator: torch.Generator) -> Tensor:
    """(B,) for each sample a random one of its own class, or of another where `other`; of any class if there is none such."""
    chance = torch.rand(len(labels), len(labels), generator=generator, device=labels.device)
    wanted = (labels[:, None] == labels[None, :]) ^ other[:, None]
    return (chance + wanted).argmax(1)


def paste(below: Tensor, above: Tensor, mask: Tensor) -> Tensor:
    """Images `above` where the mask (B, 1, H, W) is 1, `below` elsewhere."""
    return mask * above + (1 - mask) * below
