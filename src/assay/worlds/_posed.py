"""Flat objects turned in space: drawing shapes by yaw, pitch, roll and size, in front of a background."""

from dataclasses import dataclass

import numpy as np
from numpy import ndarray as Array

from assay.data.seeds import Draw
from assay.data.world import Split
from assay.worlds import _render, _scene
from assay.worlds._split import balanced_labels, between

# Shapes that a quarter turn changes, so that a turn is a new view.
OBJECTS = ("triangle", "crescent", "pill", "corner", "hourglass", "arrow", "comb", "half_disc", "tee", "kite")
INDEX = np.array([_render.SHAPE_NAMES.index(name) for name in OBJECTS])
NOISE = 0.04  # deviation of the sensor noise, as in shapes
DISTRACTORS = 2


@dataclass(frozen=True)
class Pose:
    """yaw, pitch and roll (N,) in degrees, about the vertical axis, then the horizontal one, then the line of sight; scale (N,):
    radius of the bounding circle in image sides, seen from the front."""

    yaw: Array
    pitch: Array
    roll: Array
    scale: Array


def projection(pose: Pose) -> Array:
    """(N, 2, 2) what parallel projection makes of the object's plane: x right and y down, roll clockwise on screen."""
    yaw, pitch, roll = (np.deg2rad(angle) for angle in (pose.yaw, pose.pitch, pose.roll))
    zero = np.zeros_like(yaw)
    turned = np.stack([np.cos(yaw), zero, np.sin(pitch) * np.sin(yaw), np.cos(pitch)], axis=-1).reshape(-1, 2, 2)
    rolled = np.stack([np.cos(roll), -np.sin(roll), np.sin(roll), np.cos(roll)], axis=-1).reshape(-1, 2, 2)
    return rolled @ turned


def coverage(shape: Array, position: Array, pose: Pose, size: int) -> Array:
    """(N, H, W) share of each pixel covered, in [0, 1], by the signed distance in the object's plane; outlines that run where
    the plane is foreshortened are softer or sharper than a pixel by at most the square root of the foreshortening.
    """
    x, y = _render.grid(size)
    matrix = projection(pose)
    inverse = np.linalg.inv(matrix) / pose.scale[:, None, None]
    pixels = pose.scale * np.sqrt(np.abs(np.linalg.det(matrix))) * size
    result = np.empty((len(shape), size * size), np.float32)
    for index in np.unique(shape):
        rows = np.flatnonzero(shape == index)
        dx, dy = x - position[rows, :1], y - position[rows, 1:]
        u = dx * inverse[rows, 0, :1] + dy * inverse[rows, 0, 1:]
        v = dx * inverse[rows, 1, :1] + dy * inverse[rows, 1, 1:]
        distance = _render.SHAPES[_render.SHAPE_NAMES[index]](u.astype(np.float32), v.astype(np.float32))
        result[rows] = np.clip(0.5 - distance * pixels[rows, None], 0, 1)
    return result.reshape(-1, size, size)


class Studio:
    """`count` objects, each with its class, colours, texture, place, background and light, to be drawn in any pose."""

    def __init__(self, draw: Draw, count: int, size: int, place: tuple[float, float]):
        self.draw, self.size = draw, size
        self.labels = balanced_labels(draw("label"), count, len(OBJECTS))
        self.backdrop = _scene.backdrop(draw, count, size, DISTRACTORS)
        mine = draw.under("object")
        self.position = between(mine("position"), 2 * count, place).reshape(count, 2)
        luminance = self.backdrop.luminance
        away = np.where(luminance < 0.5, 1, -1) * between(mine("contrast"), count, (0.25, 0.6))
        shade = np.clip(luminance + away, 0.05, 0.95).astype(np.float32)
        hue, chroma = between(mine("hue"), count, (0, 1)), between(mine("chroma"), count, (0.05, 0.3))
        share = between(mine("texture_contrast"), count, (0.1, 0.3))
        pattern = _render.texture(
            mine("texture").integers(0, len(_render.TEXTURES), count),
            between(mine("cycles"), count, (2.5, 6)),
            between(mine("texture_angle"), count, (0, 360)),
            between(mine("texture_phase"), count, (0, 1)),
            mine("grain").random((count, size, size), dtype=np.float32),
        )
        first = _render.colour(shade, chroma, hue)
        second = _render.colour(shade + (luminance - shade) * share, chroma, hue)
        self.surface = _render.mix(first, second, pattern)

    def poses(self, spans: dict[str, tuple[float, float]]) -> Pose:
        """A pose an object, each quantity drawn from its span and its own stream."""
        draw = self.draw.under("pose")
        return Pose(**{name: between(draw(name), len(self.labels), span) for name, span in spans.items()})

    def shoot(self, pose: Pose) -> Split:
        """Every object in its pose; two calls differ in nothing else."""
        cover = coverage(INDEX[self.labels], self.position, pose, self.size)
        images = _scene.expose(self.draw, _render.over(self.backdrop.image.copy(), self.surface, cover), NOISE)
        factors = {
            "clean_label": self.labels,
            "background": self.backdrop.kind,
            "position": self.position,
            "mask": (cover >= 0.5).astype(np.uint8),
            "yaw": pose.yaw,
            "pitch": pose.pitch,
            "roll": pose.roll,
            "scale": pose.scale,
        }
        return Split(images, self.labels, factors)
