"""Surfaces with and without a defect, with the exact mask of the defect: inspection as in MVTec AD, made to measure.

A surface is one of four textures (weave, wood, stone, metal) in its own shade; a defect is one of four (scratch, spot, stain,
missing). By default training holds good surfaces alone, as anomaly detection has it; test is half and half.
"""

from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Gt, Le

from assay.data.seeds import Draw
from assay.data.world import Split, World
from assay.worlds import _render
from assay.worlds._split import balanced_labels, between, check_counts

FACTORS = ("boxes", "clean_label", "defect", "mask", "surface")
SURFACES = ("weave", "wood", "stone", "metal")
DEFECTS = ("none", "scratch", "spot", "stain", "missing")


def defects(
    draw: Draw,
    *,
    size: Annotated[int, Ge(16)] = 32,
    train: Annotated[int, Ge(1)] = 1024,
    test: Annotated[int, Ge(1)] = 512,
    surfaces: list[Literal["weave", "wood", "stone", "metal"]] = ["weave", "wood", "stone", "metal"],  # noqa: B006
    train_share: Annotated[float, Ge(0), Le(1)] = 0.0,
    strength: Annotated[float, Gt(0), Le(1)] = 0.3,
) -> World:
    """Labels 0 good, 1 defective. train_share: share of defective training images; strength: change of luminance a defect makes.

    Factors: clean_label, defect (index into DEFECTS, 0 none), surface (index into SURFACES), mask (N, H, W) of the defect,
    boxes (N, 1, 4). Raises StudyError for splits with fewer than two images.
    """
    check_counts("defects", 2, train=train, test=test)
    allowed = np.array([SURFACES.index(name) for name in surfaces])

    def split(part: Draw, count: int, share: float) -> Split:
        labels = _labels(part, count, share)
        surface = allowed[part("surface").integers(0, len(allowed), count)]
        kind = labels * (1 + part("defect").integers(0, len(DEFECTS) - 1, count))
        image = _surfaces(part.under("surface"), surface, size)
        cover = _cover(part.under("defect"), kind, size)
        _spoil(part.under("defect"), image, cover, kind, strength)
        image += np.float32(0.02) * part("noise").standard_normal(image.shape, dtype=np.float32)
        mask = (cover >= 0.5).astype(np.uint8)
        factors = {
            "clean_label": labels,
            "defect": kind,
            "surface": surface,
            "mask": mask,
            "boxes": _render.boxes_of(mask[:, None]),
        }
        return Split(np.clip(image, 0, 1), labels, factors)

    return World(split(draw.under("train"), train, train_share), split(draw.under("test"), test, 0.5), ("good", "defective"))


def _labels(draw: Draw, count: int, share: float) -> np.ndarray:
    """(N,) balanced when the share is one half, else one with the probability asked."""
    return balanced_labels(draw("label"), count, 2) if share == 0.5 else (draw("label").random(count) < share).astype(np.int64)


def _surfaces(draw: Draw, surface: np.ndarray, size: int) -> np.ndarray:
    """(N, 3, H, W) textures with the same look within a surface but another cut of it in each image."""
    count = len(surface)
    x, y = _render.grid(size)
    phase = between(draw("phase"), count * 2, (0, 1)).reshape(count, 2)
    soft = _render.smooth_noise(draw("soft"), count, 6, size).reshape(count, -1)
    fine = draw("fine").random((count, size * size), dtype=np.float32)
    streak = np.repeat(_render.smooth_noise(draw("streak"), count, 12, size)[:, :, :1], size, axis=2).reshape(count, -1)
    wave_x, wave_y = np.sin(_render.TAU * (6 * x + phase[:, :1])), np.sin(_render.TAU * (6 * y + phase[:, 1:]))
    wood = np.float32(0.5) + np.float32(0.5) * np.sin(_render.TAU * (4 * x + soft + phase[:, :1]))
    looks = (np.float32(0.5) + np.float32(0.5) * wave_x * wave_y, wood, (soft + fine) / 2, streak)
    share = np.choose(surface[:, None], looks).reshape(-1, size, size)
    shade = between(draw("shade"), count, (-0.05, 0.05))
    hue = np.array([0.6, 0.08, 0.1, 0.55], np.float32)[surface]
    chroma = np.array([0.1, 0.15, 0.03, 0.02], np.float32)[surface]
    first, second = _render.colour(shade + 0.4, chroma, hue), _render.colour(shade + 0.6, chroma, hue)
    return _render.mix(first, second, share)


def _cover(draw: Draw, kind: np.ndarray, size: int) -> np.ndarray:
    """(N, H, W) share of each pixel that the defect covers."""
    count = len(kind)
    centre = between(draw("centre"), count * 2, (0.25, 0.75)).reshape(count, 2)
    turn = between(draw("turn"), count, (0, 360))
    reach = between(draw("reach"), count, (0.12, 0.22))
    cover = np.zeros((count, size, size), np.float32)
    for index, name in enumerate(DEFECTS[1:], 1):
        rows = np.flatnonzero(kind == index)
        if name == "scratch":
            arm = reach[rows, None] * np.stack([np.cos(np.deg2rad(turn[rows])), np.sin(np.deg2rad(turn[rows]))], axis=1)
            width = np.full(len(rows), max(0.05, 1.5 / size), np.float32)
            cover[rows] = _render.stroke(centre[rows] - arm, centre[rows] + arm, width, size)
        else:
            shape = _render.SHAPE_NAMES.index({"spot": "circle", "stain": "crescent", "missing": "square"}[name])
            scale = reach[rows] * np.float32({"spot": 0.6, "stain": 1.0, "missing": 0.9}[name])
            cover[rows] = _render.coverage(np.full(len(rows), shape), centre[rows], scale, turn[rows], size)
    return cover


def _spoil(draw: Draw, image: np.ndarray, cover: np.ndarray, kind: np.ndarray, strength: float) -> None:
    """Darken or brighten by strength under the defect, in place; a missing piece shows flat ground instead of texture."""
    side = np.where(draw("side").random(len(image)) < 0.5, -1, 1).astype(np.float32)
    missing = (kind == DEFECTS.index("missing"))[:, None, None, None]
    flat = image.mean(axis=(2, 3), keepdims=True)
    changed = np.where(missing, flat, image) + side[:, None, None, None] * np.float32(strength)
    _render.over(image, changed, cover)
