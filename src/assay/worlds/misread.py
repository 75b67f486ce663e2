"""Another world with a further test split: the test images that a network misreads, natural adversarial examples.

ImageNet-A ("Natural Adversarial Examples", Hendrycks et al. 2021) holds photographs that a ResNet-50 gets wrong, and others ask
how their own networks fare on them, as "Adversarial Examples Improve Image Recognition" (P084) does. The network brings torch,
which this module imports only when it draws.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated

import numpy as np

from assay.data.seeds import Draw
from assay.data.world import World
from assay.language.plugs import Parent, Plug
from assay.training.network import Trained
from assay.worlds._split import refuse


def misread(
    draw: Draw,
    *,
    reader: Annotated[Trained, Parent()],
    of: Annotated[Callable, Plug("worlds")] = "shapes",
) -> World:
    """extra["misread"]: the test images that `reader` gives another class than their label, in their order.

    All else is as in the other world. Raises StudyError where the reader gets every image right.
    """
    from assay.data.batch import to_tensors
    from assay.measuring.evaluate import predict

    world = of(draw)
    test = to_tensors(world, reader.network.mean.device).test
    rows = np.flatnonzero((predict(reader.network, test.images).argmax(1) != test.labels).cpu().numpy())
    if not len(rows):
        raise refuse("misread", "reader", "a network that reads all test images", "some misread", "train it for less long")
    return replace(world, extra={**world.extra, "misread": world.test.take(rows)})
