"""Patches of the three photographed textures (brick, grass, gravel) that ship with scikit-image; grey.

Training patches come from the left 60% of a picture, test patches from the rest, so none overlap.
"""

from typing import Annotated

from annotated_types import Ge

from assay.data.seeds import Draw
from assay.data.world import World
from assay.worlds._sources import halves, patches, picture, shrink
from assay.worlds._split import balanced_labels, check_counts, refuse

FACTORS = ("clean_label", "corner", "source")
INPUTS = ("brick.png", "grass.png", "gravel.png")
CLASSES = tuple(name.split(".")[0] for name in INPUTS)


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
    check_counts("textures", len(CLASSES), train=train, test=test)
    images = [shrink(picture(name), shrink_by) for name in INPUTS]
    most = min(min(halves(image, "test")[0].shape[-2:]) for image in images)
    if size > most:
        raise refuse("textures", "size", size, f"at most {most} pixels at shrink_by = {shrink_by}", "lower size or shrink_by")
    splits = [
        patches(draw, part, images, balanced_labels(draw(part, "label"), count, len(CLASSES)), size)
        for part, count in (("train", train), ("test", test))
    ]
    return World(*splits, CLASSES)
