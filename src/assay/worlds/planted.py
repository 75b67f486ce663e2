"""A bias planted in some classes: their images come from another world of the same draw, all others stay.

Two worlds at one draw differ in the changed parameters alone, so with `other` the same world under a shortcut, the bias of the
chosen classes is all that is planted. For the class-level biases of "LANCE: Stress-testing Visual Models by Generating
Language-guided Counterfactual Images" (P190), which are found in ImageNet there and known by construction here.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated

import numpy as np
from annotated_types import Ge, MinLen

from assay.data.seeds import Draw
from assay.data.stream import whole
from assay.data.world import Split, World
from assay.language.plugs import Plug
from assay.worlds._split import refuse

FACTORS = ("planted",)


def planted(
    draw: Draw,
    *,
    of: Annotated[Callable, Plug("worlds")] = "shapes",
    other: Annotated[Callable, Plug("worlds")] | None = None,
    classes: Annotated[list[Annotated[int, Ge(0)]], MinLen(1)] = [0],  # noqa: B006
) -> World:
    """The world `of`, in both splits, with images and factors of the named classes (by number) from `other`
    (None: from the same world, so that nothing is planted).

    Factors that only one of the two has are dropped; planted (N,) says whether a row comes from the other. Raises StudyError
    for a class that the world has not, and for worlds whose labels differ.
    """
    world = of(draw)
    second = world if other is None else other(draw)
    if max(classes) >= len(world.classes):
        raise refuse("planted", "classes", classes, f"0 to {len(world.classes) - 1}", "name classes of the world")
    if not all(np.array_equal(a.labels, b.labels) for a, b in ((world.train, second.train), (world.test, second.test))):
        raise refuse("planted", "other", "a world of other labels", "worlds with equal labels", "give both the same sizes")

    def spliced(split: Split, from_other: Split) -> Split:
        rows = np.isin(split.labels, classes)

        def chosen(a: np.ndarray, b: np.ndarray) -> np.ndarray:
            return np.where(rows.reshape(-1, *[1] * (a.ndim - 1)), b, a)

        shared = [name for name in split.factors if name in from_other.factors]
        factors = {name: chosen(split.factors[name], from_other.factors[name]) for name in shared}
        return Split(chosen(whole(split.images), whole(from_other.images)), split.labels, factors | {"planted": rows})

    return replace(world, train=spliced(world.train, second.train), test=spliced(world.test, second.test), extra={})
