"""Patches of the nine colour photographs that ship with scikit-image and scikit-learn; the label is the photograph.

Training patches come from the left 60% of a photograph, test patches from the rest, so none overlap.
"""

from typing import Annotated

from annotated_types import Ge

from assay.data.seeds import Draw
from assay.data.world import World
from assay.worlds._patches import world_of_pictures

FACTORS = ("clean_label", "corner", "source")
INPUTS = (
    "astronaut.png",
    "chelsea.png",
    "coffee.png",
    "rocket.png",
    "hubble_deep_field.png",
    "retina.png",
    "ihc.png",
    "china.png",
    "flower.png",
)


def photos(
    draw: Draw,
    *,
    size: Annotated[int, Ge(4)] = 32,
    train: Annotated[int, Ge(1)] = 1024,
    test: Annotated[int, Ge(1)] = 512,
    shrink_by: Annotated[int, Ge(1)] = 2,
) -> World:
    """shrink_by: the photographs are averaged over blocks of this side first. Factors: clean_label, source, corner (N, 2) in
    shrunken pixels.

    Raises StudyError when a patch does not fit or a split is smaller than the nine classes.
    """
    return world_of_pictures("photos", draw, INPUTS, size=size, train=train, test=test, shrink_by=shrink_by)
