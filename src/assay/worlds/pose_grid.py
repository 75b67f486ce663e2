"""The first test objects of the world posed, each in every pose of a grid of yaw, pitch, roll and size.

What "Strike (with) a Pose: Neural Networks Are Easily Fooled by Strange Poses of Familiar Objects" (P167) explores by drawing
poses at random. At the same draw the objects, their colours, places, backgrounds, light and noise are those of posed.
"""

from itertools import product
from typing import Annotated

import numpy as np
from annotated_types import Ge, MinLen

from assay.data.seeds import Draw
from assay.data.world import Split, World
from assay.worlds._posed import OBJECTS, Pose, Studio
from assay.worlds._split import check_counts, check_range
from assay.worlds.posed import BOUNDS, posed

FACTORS = ("background", "clean_label", "mask", "object", "pitch", "pose", "position", "roll", "scale", "yaw")


def pose_grid(
    draw: Draw,
    *,
    size: Annotated[int, Ge(8)] = 16,
    train: Annotated[int, Ge(1)] = 10,
    test: Annotated[int, Ge(1)] = 40,
    position: tuple[float, float] = (0.42, 0.58),
    rolls: Annotated[int, Ge(2)] = 24,
    tilts: Annotated[list[float], MinLen(1)] = [0.0, 50.0],  # noqa: B006
    scales: Annotated[list[float], MinLen(1)] = [0.37, 0.25],  # noqa: B006
) -> World:
    """Test images are all poses of object 0, then those of object 1, ..., of `test` objects. Rolls are evenly spaced over the
    circle from 0; yaw and pitch take the values `tilts`, size the values `scales`. The first of each make the first pose.

    Further factors: object (N,) its number; pose (N, 4) the places on the grid of roll, yaw, pitch and scale, the last varying
    fastest. The training split is that of posed with its usual poses. Raises StudyError for values out of the bounds of posed.
    """
    check_counts("pose_grid", len(OBJECTS), train=train, test=test)
    for name, values in (("yaw", tilts), ("scale", scales)):
        check_range("pose_grid", "tilts" if name == "yaw" else "scales", (min(values), max(values)), *BOUNDS[name])
    studio = Studio(draw.under("test"), test, size, position)
    places = list(product(range(rolls), range(len(tilts)), range(len(tilts)), range(len(scales))))
    turns = [(360 / rolls * r, tilts[y], tilts[p], scales[s]) for r, y, p, s in places]
    shots = [studio.shoot(_same(test, *turn)) for turn in turns]

    def by_object(arrays: list[np.ndarray]) -> np.ndarray:
        return np.ascontiguousarray(np.stack(arrays, axis=1).reshape(-1, *arrays[0].shape[1:]))

    factors = {name: by_object([shot.factors[name] for shot in shots]) for name in shots[0].factors}
    factors["object"] = np.repeat(np.arange(test), len(places))
    factors["pose"] = np.tile(np.array(places), (test, 1))
    grid = Split(by_object([shot.images for shot in shots]), by_object([shot.labels for shot in shots]), factors)
    return World(posed(draw, size=size, train=train, test=len(OBJECTS), position=position).train, grid, OBJECTS)


def _same(count: int, roll: float, yaw: float, pitch: float, scale: float) -> Pose:
    """One pose for all objects."""
    return Pose(*(np.full(count, value, np.float32) for value in (yaw, pitch, roll, scale)))
