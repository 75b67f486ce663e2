"""Another world of which some classes alone are kept: the two-class problems of papers, such as 3 against 7."""

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated

import numpy as np
from annotated_types import Ge, MinLen

from assay.data.seeds import Draw
from assay.data.world import Split, World
from assay.language.plugs import Plug
from assay.worlds._split import refuse
from assay.worlds._wrap import each_split


def pick_classes(
    draw: Draw,
    *,
    of: Annotated[Callable, Plug("worlds")] = "shapes",
    classes: Annotated[list[Annotated[int, Ge(0)]], MinLen(2)] = (3, 7),
) -> World:
    """The images of these classes, numbered anew in the order given; a split of n images keeps fewer.

    Factor clean_label is numbered with the labels, and an image whose true or given class is not picked is left out; other
    factors stay as they are. Raises StudyError for a class that the world does not have or that is named twice, and when
    nothing is left of a split.
    """
    world = of(draw)
    if len(set(classes)) < len(classes) or max(classes) >= len(world.classes):
        allowed = f"different classes from 0 to {len(world.classes) - 1}"
        raise refuse("pick_classes", "classes", list(classes), allowed, "name others")
    number = np.full(len(world.classes), -1)
    number[list(classes)] = np.arange(len(classes))

    def pick(name: str, split: Split) -> Split:
        true = split.factors.get("clean_label", split.labels)
        kept = split.take(np.flatnonzero((number[split.labels] >= 0) & (number[true] >= 0)))
        if not len(kept):
            raise refuse("pick_classes", "classes", list(classes), f"classes with images in {name}", "raise the world's counts")
        factors = {key: number[value] if key == "clean_label" else value for key, value in kept.factors.items()}
        return replace(kept, labels=number[kept.labels], factors=factors)

    return replace(each_split(world, pick), classes=tuple(world.classes[each] for each in classes))
