"""Breaks one shortcut of each image at a time: a background, or a co-occurring object, as images of another class have it.

The augmentations of Last Layer Ensemble on UrbanCars, "A Whac-A-Mole Dilemma: Shortcuts Come in Multiples Where Mitigating
One Amplifies Others" (P093). Every image is equally likely to stay as it is or to have one of the shortcuts swapped. An
image with its background swapped is put together from its core object, the empty background of a random image of another
class, and the co-object of a random image of its own class; with its co-object swapped, from a background of its own class
and a co-object of another. Donors come from the batch (in the paper from the whole training split).
"""

from dataclasses import replace
from typing import Annotated, Literal

import torch
from annotated_types import MinLen
from torch import Tensor

from assay.batch import Batch
from assay.errors import StudyError

NEEDED = ("masks", "backdrop")


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
    for name in NEEDED:
        if name not in batch.factors:
            raise StudyError(
                f"augment swap_shortcuts: the world has no factor '{name}' (needed: {', '.join(NEEDED)}); use urban_shapes"
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
    made = paste(made, batch.images, core)
    images = torch.where((shift == 0)[:, None, None, None], batch.images, made)
    images = images.contiguous(memory_format=torch.channels_last)
    return replace(batch, images=images, factors={**batch.factors, "shift": shift})


def pick(labels: Tensor, other: Tensor, generator: torch.Generator) -> Tensor:
    """(B,) for each sample a random one of its own class, or of another where `other`; of any class if there is none such."""
    chance = torch.rand(len(labels), len(labels), generator=generator, device=labels.device)
    wanted = (labels[:, None] == labels[None, :]) ^ other[:, None]
    return (chance + wanted).argmax(1)


def paste(below: Tensor, above: Tensor, mask: Tensor) -> Tensor:
    """Images `above` where the mask (B, 1, H, W) is 1, `below` elsewhere."""
    return mask * above + (1 - mask) * below
