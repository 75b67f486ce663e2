"""Another world with part of its training labels replaced by random ones; test labels stay true.

"Understanding deep learning requires rethinking generalization" (P186): a corrupted label is a uniformly random class, its own
included, so at fraction p a share p * (classes - 1) / classes of the labels is wrong.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated

import numpy as np
from annotated_types import Ge, Le

from assay.data.seeds import Draw
from assay.data.world import World
from assay.language.plugs import Plug

FACTORS = ("clean_label", "corrupted")


def random_labels(
    draw: Draw,
    *,
    of: Annotated[Callable, Plug("worlds")] = "shapes",
    fraction: Annotated[float, Ge(0), Le(1)] = 1.0,
) -> World:
    """Each training label is replaced with probability `fraction`.

    Factor clean_label keeps what it was before any noise; factor corrupted says which were drawn.
    """
    world = of(draw)
    draw = draw.under("random_labels")
    count = len(world.train)
    drawn = draw("chosen").random(count) < fraction
    labels = np.where(drawn, draw("label").integers(0, len(world.classes), count), world.train.labels)
    factors = {"clean_label": world.train.labels} | world.train.factors | {"corrupted": drawn}
    return replace(world, train=replace(world.train, labels=labels, factors=factors))
