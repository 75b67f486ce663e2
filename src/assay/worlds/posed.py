"""Flat objects turned in space: ten shapes, none of which a quarter turn leaves as it is, in any yaw, pitch, roll and size.

For "Strike (with) a Pose: Neural Networks Are Easily Fooled by Strange Poses of Familiar Objects" (P167), whose objects are
three-dimensional models from ImageNet classes in front of photographs. Here they are flat, seen in parallel projection and at
most at 60 degrees, from where they still show their outline; colours, texture, background and light as in the world shapes.
"""

from typing import Annotated

from annotated_types import Ge

from assay.data.seeds import Draw
from assay.data.world import Split, World
from assay.worlds._posed import OBJECTS, Studio
from assay.worlds._split import check_counts, check_range

FACTORS = ("background", "clean_label", "mask", "pitch", "position", "roll", "scale", "yaw")
BOUNDS = {"yaw": (-60, 60), "pitch": (-60, 60), "roll": (-360, 360), "scale": (0.05, 1), "position": (0, 1)}


def posed(
    draw: Draw,
    *,
    size: Annotated[int, Ge(8)] = 16,
    train: Annotated[int, Ge(1)] = 2048,
    test: Annotated[int, Ge(1)] = 1024,
    position: tuple[float, float] = (0.42, 0.58),
    yaw: tuple[float, float] = (-15.0, 15.0),
    pitch: tuple[float, float] = (-15.0, 15.0),
    roll: tuple[float, float] = (-15.0, 15.0),
    scale: tuple[float, float] = (0.32, 0.42),
) -> World:
    """Images of one object each; the label is its shape. yaw, pitch, roll: ranges of its turns in degrees, about the vertical
    axis, the horizontal axis and the line of sight. scale: of its bounding circle's radius seen from the front, position: of
    its centre, in image sides.

    Factors: clean_label, background (kind), position (N, 2), mask (N, H, W), yaw, pitch, roll, scale. Raises StudyError for
    ranges out of order or bounds and for splits smaller than the classes.
    """
    check_counts("posed", len(OBJECTS), train=train, test=test)
    spans = {"yaw": yaw, "pitch": pitch, "roll": roll, "scale": scale}
    for name, span in {**spans, "position": position}.items():
        check_range("posed", name, span, *BOUNDS[name])

    def split(part: Draw, count: int) -> Split:
        studio = Studio(part, count, size, position)
        return studio.shoot(studio.poses(spans))

    return World(split(draw.under("train"), train), split(draw.under("test"), test), OBJECTS)
