"""Patches of the three photographed textures (brick, grass, gravel) that ship with scikit-image; grey.

Training patches come from the left 60% of a picture, test patches from the rest, so none overlap.
"""

from typing import Annotated

from annotated_types import Ge

from assay.data.seeds import Draw
from assay.data.world import World
from assay.worlds._patches import world_of_pictures

FACTORS = ("clean_label", "corner", "source")
INPUTS = ("brick.png", "grass.png", "gravel.png")


def textures(
    draw: Draw,
    *,
    size: Annotated[int, Ge(4)] = 32,
    train: Annotated[int, Ge(1)] = 1024,
    test: Annotated[int, Ge(1)] = 512,
    shrink_by: Annotated[int, Ge(1)] = 1,
) -> World:
    """shrink_by: the pictures are averaged over blocks of this side first. Factors: clean_label, source, corner (N, 2) in
    shrunken pixels.

    Raises StudyError when a patch does not fit or a split is smaller than the three classes.
    """
    return world_of_pictures("textures", draw, INPUTS, size=size, train=train, test=test, shrink_by=shrink_by)
