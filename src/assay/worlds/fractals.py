"""Fractals drawn by iterated function systems, one system a class: an endless supply of labelled pictures without photographs.

After "Pre-training without Natural Images" (Kataoka et al. 2020): a system is 2 to 8 random affine maps, each applied with a
probability proportional to its determinant; systems whose points fill too little of the picture are rejected; members of a
class have their maps' parameters scaled by 0.8 to 1.2. Here maps are drawn by their singular values, which makes them contract,
as in "Improving Fractal Pre-training" (Anderson and Farrell 2022); the picture shows the logarithm of the point count in a
random colour, turned and mirrored at random.
"""

from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Le

from assay.data.seeds import Draw
from assay.data.world import Split, World
from assay.worlds import _render
from assay.worlds._split import balanced_labels, between, check_counts

FACTORS = ("clean_label", "colour", "mirrored", "rotation")
MAPS = 8
PARTICLES = 64
STEPS = 28
BURN_IN = 6
LEAST_FILLED = 0.2  # share of a 16 x 16 picture that a class must reach


def fractals(
    draw: Draw,
    *,
    size: Annotated[int, Ge(8)] = 16,
    train: Annotated[int, Ge(1)] = 2048,
    test: Annotated[int, Ge(1)] = 1024,
    channels: Literal[1, 3] = 3,
    classes: Annotated[int, Ge(2), Le(100)] = 10,
    variation: Annotated[float, Ge(0), Le(1)] = 0.2,
) -> World:
    """variation: each parameter of a member's maps is scaled by a factor within 1 +- variation. Factors: clean_label, colour
    (N, 3), rotation (N,) in degrees, mirrored (N,) bool.

    Raises StudyError for splits smaller than the classes.
    """
    check_counts("fractals", classes, train=train, test=test)
    systems = _systems(draw.under("systems"), classes)

    def split(part: Draw, count: int) -> Split:
        labels = balanced_labels(part("label"), count, classes)
        factor = between(part("variation"), count * MAPS * 6, (1 - variation, 1 + variation)).reshape(count, MAPS, 6)
        rotation = between(part("rotation"), count, (0, 360))
        mirrored = part("mirror").random(count) < 0.5
        points = _chaos_game(part.under("points"), systems[labels] * factor)
        density = _density(_turned(points, rotation, mirrored), size)
        colour = _render.colour(
            between(part("luminance"), count, (0.6, 0.9)),
            between(part("chroma"), count, (0.1, 0.4)),
            between(part("hue"), count, (0, 1)),
        )
        images = _render.mix(np.zeros_like(colour), colour, density)
        if channels == 1:
            images = _render.grey(images)
        factors = {"clean_label": labels, "colour": colour, "rotation": rotation, "mirrored": mirrored}
        return Split(images, labels, factors)

    names = tuple(f"system {index}" for index in range(classes))
    return World(split(draw.under("train"), train), split(draw.under("test"), test), names)


def _systems(draw: Draw, classes: int) -> np.ndarray:
    """(classes, MAPS, 6) the first candidates that fill enough of the picture; each map is a 2 x 2 matrix by rows and a shift."""
    kept = np.empty((0, MAPS, 6), np.float32)
    round_number = 0
    while len(kept) < classes:
        candidates = _candidates(draw.under(round_number), 4 * classes)
        filled = (_density(_chaos_game(draw.under("trial", round_number), candidates), 16) > 0).mean(axis=(1, 2))
        kept = np.concatenate([kept, candidates[filled >= LEAST_FILLED]])
        round_number += 1
    return kept[:classes]


def _candidates(draw: Draw, count: int) -> np.ndarray:
    """(count, MAPS, 6) random systems of 2 to 8 contracting maps; a system of fewer maps repeats its own."""
    turn = draw("turn").random((count, MAPS, 2)) * 2 * np.pi
    stretch = draw("stretch").uniform(0.2, 0.8, (count, MAPS, 2)) * draw("flip").choice([-1, 1], (count, MAPS, 2))
    matrix = _rotation(turn[..., 0]) @ (stretch[..., None] * _rotation(turn[..., 1]))
    shift = draw("shift").uniform(-1, 1, (count, MAPS, 2))
    maps = np.concatenate([matrix.reshape(count, MAPS, 4), shift], axis=-1).astype(np.float32)
    number = draw("number").integers(2, MAPS + 1, (count, 1))
    return np.take_along_axis(maps, (np.arange(MAPS) % number)[..., None], axis=1)


def _rotation(angle: np.ndarray) -> np.ndarray:
    """(..., 2, 2)"""
    cos, sin = np.cos(angle), np.sin(angle)
    return np.stack([np.stack([cos, -sin], axis=-1), np.stack([sin, cos], axis=-1)], axis=-2)


def _turned(points: np.ndarray, rotation: np.ndarray, mirrored: np.ndarray) -> np.ndarray:
    """(N, points, 2) points mirrored where asked, then turned by rotation (N,) degrees about their mean."""
    points = (points - points.mean(axis=1, keepdims=True)) * np.where(mirrored[:, None, None], [-1, 1], 1)
    return points @ _rotation(np.deg2rad(rotation)).transpose(0, 2, 1)


def _density(points: np.ndarray, size: int) -> np.ndarray:
    """(N, size, size) float32 in [0, 1] from points (N, points, 2): the logarithm of their count in a pixel, 1 where most are.

    The picture is stretched to what the points span.
    """
    low, high = points.min(axis=1, keepdims=True), points.max(axis=1, keepdims=True)
    cell = np.clip((points - low) / np.maximum(high - low, 1e-6) * size, 0, size - 1).astype(np.int64)
    index = cell[..., 1] * size + cell[..., 0] + np.arange(len(points))[:, None] * size * size
    count = np.bincount(index.reshape(-1), minlength=len(points) * size * size).reshape(-1, size, size)
    density = np.log1p(count).astype(np.float32)
    return density / density.max(axis=(1, 2), keepdims=True)


def _chaos_game(draw: Draw, systems: np.ndarray) -> np.ndarray:
    """(N, points, 2) PARTICLES walkers an image, each step under a map drawn with probability proportional to its determinant."""
    count = len(systems)
    weight = np.abs(systems[..., 0] * systems[..., 3] - systems[..., 1] * systems[..., 2]) + 0.01
    cumulative = weight.cumsum(axis=1) / weight.sum(axis=1, keepdims=True)
    chance = draw("map").random((count, STEPS, PARTICLES), dtype=np.float32)
    # A step's map is how many cumulative weights lie below the chance.
    chosen = (chance[..., None] > cumulative[:, None, None, :-1]).sum(axis=-1)
    at = np.zeros((count, PARTICLES, 2), np.float32)
    visited = []
    for step in range(STEPS):
        maps = systems[np.arange(count)[:, None], chosen[:, step]]
        x, y = at[..., 0], at[..., 1]
        at = np.stack(
            [maps[..., 0] * x + maps[..., 1] * y + maps[..., 4], maps[..., 2] * x + maps[..., 3] * y + maps[..., 5]], axis=-1
        )
        if step >= BURN_IN:
            visited.append(at)
    return np.concatenate(visited, axis=1)
