"""Another world with a further class of images that fool a network, to train one that knows them.

The retraining of "Deep Neural Networks are Easily Fooled: High Confidence Predictions for Unrecognizable Images" (P082): images
evolved until the network is sure of them are added to the training images as one new class. The test split stays as it is. The
network brings torch, which this module imports only when it draws.
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


def with_fooling_class(
    draw: Draw,
    *,
    source: Annotated[Trained, Parent()],
    of: Annotated[Callable, Plug("worlds")] = "digits",
    method: Literal["direct", "cppn"] = "cppn",
    runs: Annotated[int, Ge(1)] = 12,
    generations: Annotated[int, Ge(1)] = 100,
    children: Annotated[int, Ge(1)] = 20,
) -> World:
    """An image for each class from each of `runs` searches against `source`, in a class named "fooling" after the others.

    method: how images are encoded. generations, children: how long each search goes on, and how many images it tries each time.
    """
    world = of(draw)
    known = len(world.classes)
    images = whole(world.train.images)
    evolved = _evolved(draw, source, method, images.shape[1:], known, runs, generations, children)
    labels = np.concatenate([world.train.labels, np.full(len(evolved), known)])
    return World(Split(np.concatenate([images, evolved]), labels), world.test, (*world.classes, "fooling"), world.extra)


def _evolved(
    draw: Draw, source: Trained, method: str, shape: tuple[int, ...], classes: int, runs: int, generations: int, children: int
) -> np.ndarray:
    """(runs * classes, C, H, W) images that the network is sure of, if the search was long enough."""
    import torch

    from assay.attacks._evolution import Cppn, Direct, evolve

    generator = torch.Generator(source.network.mean.device).manual_seed(int(draw("fooling").integers(2**31)))
    encoding = Direct(shape) if method == "direct" else Cppn(shape)
    return evolve(source.network, encoding, classes, generations, children, generator, runs).flatten(0, 1).cpu().numpy()
