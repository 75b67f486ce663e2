"""Two objects of different classes in every test image, with a mask and a box for each: what a localisation method is judged on.

The network learns the classes from training images with one object each, at the same sizes and places, so it has no reason to
look beside the object. In a test image the label is the class of one of the two by chance (object 0), so top-1 accuracy cannot
pass one half; extra["single"] holds test images with one object. Factor "present" (N, classes) says which classes an image
shows.
"""

from functools import partial
from typing import Annotated

from annotated_types import Ge, Le

from assay.data.seeds import Draw
from assay.data.world import World
from assay.worlds.shapes import shapes

FACTORS = (
    "background",
    "background_hue",
    "boxes",
    "clean_label",
    "colour",
    "hue",
    "mask",
    "masks",
    "objects",
    "position",
    "present",
    "rotation",
    "scale",
    "shape",
    "texture",
)


def two_objects(
    draw: Draw,
    *,
    size: Annotated[int, Ge(12)] = 16,
    train: Annotated[int, Ge(1)] = 2048,
    test: Annotated[int, Ge(1)] = 1024,
    classes: Annotated[int, Ge(2), Le(20)] = 6,
    distractors: Annotated[int, Ge(0), Le(20)] = 0,
    scale: tuple[float, float] = (0.19, 0.24),
    contrast: tuple[float, float] = (0.3, 0.6),
) -> World:
    """The world `shapes` with two objects on opposite sides of the centre, at any angle, in the test split; its factors and its
    errors.

    scale: range of the radius of an object's bounding circle, in image sides. Raises StudyError below 12 px, where objects have
    no shape.
    """
    make = partial(
        shapes,
        draw,
        size=size,
        train=train,
        test=test,
        classes=classes,
        distractors=distractors,
        position=(0.25, 0.75),
        scale=scale,
        contrast=contrast,
    )
    one, two = make(objects=1), make(objects=2)
    return World(one.train, two.test, one.classes, {"single": one.test})
