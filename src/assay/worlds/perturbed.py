"""Another world's training images, perturbed so that a network takes them for classes drawn at random, and labelled so.

The data of "Theoretical Understanding of Learning from Adversarial Perturbations" (P214): labels are drawn uniformly, whatever
an image shows, so that what an image shows says nothing about its label; only the perturbation, made by a targeted attack on a
network trained on clean images, can. The images may be noise, uniform in [0, 1] pixel by pixel, so that nothing natural is left.
The test split is the clean one. The network brings torch, which this module imports only when it draws.
"""

from collections.abc import Callable
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge

from assay.data.seeds import Draw
from assay.data.stream import whole
from assay.data.world import Split, World
from assay.language.plugs import Parent, Plug
from assay.training.network import Trained

FACTORS = ("row",)


def perturbed(
    draw: Draw,
    *,
    source: Annotated[Trained, Parent()],
    attack: Annotated[Callable, Plug("attacks")] | None = None,
    of: Annotated[Callable, Plug("worlds")] = "digits",
    base: Literal["images", "noise"] = "images",
    copies: Annotated[int, Ge(1)] = 1,
) -> World:
    """Training images perturbed towards their labels by the attack on `source`, or left as they are without one (a control).

    attack: one told `targeted: true`. base: what is perturbed, the other world's images or as many images of noise. copies: how
    often each is used, with a label and a perturbation of its own. Training factor row: its row in the other training split.
    """
    world = of(draw)
    row = np.tile(np.arange(len(world.train)), copies)
    images = whole(world.train.images)[row]
    if base == "noise":
        images = draw("perturbed", "noise").random(images.shape, dtype=np.float32)
    labels = draw("perturbed", "label").integers(0, len(world.classes), len(row))
    if attack is not None:
        images = _attacked(attack, source, images, labels, int(draw("perturbed", "attack").integers(2**31)))
    return World(Split(images, labels, {"row": row}), world.test, world.classes, world.extra)


def _attacked(attack: Callable, source: Trained, images: np.ndarray, labels: np.ndarray, seed: int) -> np.ndarray:
    import torch

    from assay.measuring.evaluate import batched

    device = source.network.mean.device
    generator = torch.Generator(device).manual_seed(seed)
    given = torch.from_numpy(images).to(device), torch.from_numpy(labels).to(device)
    moved = batched(lambda part, targets: attack(source.network, part, targets, generator), *given)
    return moved.contiguous().cpu().numpy()
