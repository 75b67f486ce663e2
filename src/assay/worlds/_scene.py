"""Scenes: a background with clutter, objects in front of it, light and sensor noise; every quantity a factor drawn from its own
stream.
"""

from dataclasses import dataclass

import numpy as np
from numpy import ndarray as Array

from assay.data.seeds import Draw
from assay.worlds import _render
from assay.worlds._split import between

BACKGROUNDS = ("gradient", "texture", "clutter", "noise")


@dataclass(frozen=True)
class Objects:
    """What is drawn: K objects an image, the first in front.

    shape: (N, K) index into SHAPE_NAMES, -1 where there is none. position: (N, K, 2) and scale: (N, K) in image sides;
    rotation: (N, K) degrees; texture: (N, K) index into TEXTURES; cycles: (N, K) periods an image; hue: (N, K) turns.
    """

    shape: Array
    position: Array
    scale: Array
    rotation: Array
    texture: Array
    cycles: Array
    hue: Array


@dataclass(frozen=True)
class Backdrop:
    """What is behind: (N, 3, H, W) image, its kind (N,) as index into BACKGROUNDS, hue (N,) in turns and luminance (N,)."""

    image: Array
    kind: Array
    hue: Array
    luminance: Array


def backdrop(draw: Draw, count: int, size: int, distractors: int, hue: Array | None = None) -> Backdrop:
    """Backgrounds of the four kinds with `distractors` strokes each; a given hue (N,) is used instead of a drawn one."""
    draw = draw.under("background")
    kind = draw("kind").integers(0, len(BACKGROUNDS), count)
    hue = between(draw("hue"), count, (0, 1)) if hue is None else hue
    luminance = between(draw("luminance"), count, (0.15, 0.85))
    chroma = between(draw("chroma"), count, (0.05, 0.25))
    second_luminance = luminance + between(draw("second_luminance"), count, (-0.1, 0.1))
    second_hue = hue + between(draw("second_hue"), count, (-0.12, 0.12))
    first = _render.colour(luminance, chroma, hue)
    second = _render.colour(second_luminance, chroma, second_hue)
    image = _render.mix(first, second, _blend(draw, kind, count, size))
    for index in range(distractors):
        _add_stroke(draw.under("stroke", index), image, luminance, hue)
    return Backdrop(image, kind, hue, luminance)


def _blend(draw: Draw, kind: Array, count: int, size: int) -> Array:
    """(N, H, W) share of a background's second colour."""
    angle = between(draw("angle"), count, (0, 360))
    phase = between(draw("phase"), count, (0, 1))
    cycles = between(draw("cycles"), count, (2, 5))
    pattern = 1 + draw("pattern").integers(0, 3, count)
    grain = draw("grain").random((count, size, size), dtype=np.float32)
    share = _render.smooth_noise(draw("clutter"), count, 4, size)
    x, y = _render.grid(size)
    for index, name in enumerate(BACKGROUNDS):
        rows = np.flatnonzero(kind == index)
        if name == "gradient":
            turn = np.deg2rad(angle[rows, None])
            ramp = np.float32(0.5) + (x - np.float32(0.5)) * np.cos(turn) + (y - np.float32(0.5)) * np.sin(turn)
            share[rows] = np.clip(ramp, 0, 1).reshape(-1, size, size)
        elif name == "texture":
            share[rows] = _render.texture(pattern[rows], cycles[rows], angle[rows], phase[rows], grain[rows])
        elif name == "noise":
            share[rows] = grain[rows]
    return share


def _add_stroke(draw: Draw, image: Array, luminance: Array, hue: Array) -> None:
    """Paint one straight stroke of another shade on each image, in place."""
    count, size = len(image), image.shape[-1]
    ends = draw("ends").random((count, 4), dtype=np.float32)
    width = between(draw("width"), count, (0.04, 0.1))
    shade = _opposite(luminance, between(draw("step"), count, (0.1, 0.3)), draw("side").random(count))
    tint = _render.colour(shade, between(draw("chroma"), count, (0, 0.25)), hue + between(draw("hue"), count, (-0.5, 0.5)))
    _render.over(image, tint[:, :, None, None], _render.stroke(ends[:, :2], ends[:, 2:], width, size))


def _opposite(luminance: Array, step: Array, side: Array) -> Array:
    """(N,) luminance a step away, up or down by chance (side in [0, 1)) where both stay within [0.05, 0.95]."""
    up, down = luminance + step, luminance - step
    rises = np.where(up > 0.95, False, np.where(down < 0.05, True, side < 0.5))
    return np.clip(np.where(rises, up, down), 0.05, 0.95).astype(np.float32)


def paint(draw: Draw, scene: Backdrop, objects: Objects, contrast: tuple[float, float]) -> tuple[Array, Array, Array]:
    """Draw the objects on the backdrop: images (N, 3, H, W), visible masks (N, K, H, W) uint8, colours (N, K, 3).

    contrast: range of the luminance step between an object and its background's mean.
    """
    image = scene.image.copy()
    count, size = len(image), image.shape[-1]
    slots = objects.shape.shape[1]
    covers = np.zeros((count, slots, size, size), np.float32)
    colours = np.zeros((count, slots, 3), np.float32)
    for slot in reversed(range(slots)):
        one = draw.under("object", slot)
        rows = np.flatnonzero(objects.shape[:, slot] >= 0)
        here = [field[rows, slot] for field in (objects.shape, objects.position, objects.scale, objects.rotation)]
        covers[rows, slot] = _render.coverage(*here, size)
        base, tint = _object_colours(one, scene.luminance, objects.hue[:, slot], contrast)
        colours[:, slot] = base
        surface = _render.mix(base, tint, _surface(one, objects, slot, size))
        _render.over(image, surface, covers[:, slot])
    return image, _visible(covers), colours


def _object_colours(draw: Draw, luminance: Array, hue: Array, contrast: tuple[float, float]) -> tuple[Array, Array]:
    """(N, 3) the two colours of an object: a luminance step from the background, and a smaller step back towards it."""
    count = len(luminance)
    shade = _opposite(luminance, between(draw("contrast"), count, contrast), draw("side").random(count))
    chroma = between(draw("chroma"), count, (0.05, 0.3))
    back = between(draw("texture_contrast"), count, (0.1, 0.3))
    return _render.colour(shade, chroma, hue), _render.colour(shade + (luminance - shade) * back, chroma, hue + np.float32(0.15))


def _surface(draw: Draw, objects: Objects, slot: int, size: int) -> Array:
    """(N, H, W) share of the second colour on an object."""
    count = len(objects.shape)
    angle = between(draw("texture_angle"), count, (0, 360))
    phase = between(draw("texture_phase"), count, (0, 1))
    grain = draw("texture_grain").random((count, size, size), dtype=np.float32)
    return _render.texture(objects.texture[:, slot], objects.cycles[:, slot], angle, phase, grain)


def _visible(covers: Array) -> Array:
    """(N, K, H, W) uint8: pixels at least half covered by the object and not by one in front of it."""
    masks = (covers >= 0.5).astype(np.uint8)
    hidden = np.zeros_like(masks[:, 0])
    for slot in range(masks.shape[1]):
        masks[:, slot] &= 1 - hidden
        hidden |= masks[:, slot]
    return masks


def expose(draw: Draw, image: Array, noise: float) -> Array:
    """Light that falls off to one side, then sensor noise of the given deviation; clipped to [0, 1]; in place."""
    count, size = len(image), image.shape[-1]
    draw = draw.under("light")
    gain = between(draw("gain"), count, (0.8, 1.2))
    slope = between(draw("slope"), count, (0, 0.3))
    turn = np.deg2rad(between(draw("angle"), count, (0, 360)))
    x, y = _render.grid(size)
    ramp = (x - np.float32(0.5)) * np.cos(turn)[:, None] + (y - np.float32(0.5)) * np.sin(turn)[:, None]
    image *= (gain[:, None] + slope[:, None] * ramp).reshape(-1, 1, size, size)
    if noise:
        image += np.float32(noise) * draw("noise").standard_normal(image.shape, dtype=np.float32)
    return np.clip(image, 0, 1, out=image)


def free_objects(
    draw: Draw,
    labels: Array,
    classes: int,
    slots: int,
    position: tuple[float, float],
    scale: tuple[float, float],
    rotation: tuple[float, float],
) -> Objects:
    """Objects whose every quantity is drawn on its own; the first is of the labelled class, further ones of other classes.

    Several objects lie on a ring about the centre, evenly spaced with a random turn, so that none hides another.
    """
    count = len(labels)
    draw = draw.under("object")
    scales = between(draw("scale"), count * slots, scale).reshape(count, slots)
    return Objects(
        shape=_distinct_classes(draw("class"), labels, classes, slots),
        position=_positions(draw, count, slots, position),
        scale=scales,
        rotation=between(draw("rotation"), count * slots, rotation).reshape(count, slots),
        texture=draw("texture").integers(0, len(_render.TEXTURES), (count, slots)),
        cycles=between(draw("cycles"), count * slots, (2.5, 6)).reshape(count, slots),
        hue=between(draw("hue"), count * slots, (0, 1)).reshape(count, slots),
    )


def _distinct_classes(generator: np.random.Generator, labels: Array, classes: int, slots: int) -> Array:
    """(N, K) classes, the first the label, no class twice in an image."""
    rank = generator.random((len(labels), classes))
    rank[np.arange(len(labels)), labels] = -1
    return rank.argsort(axis=1)[:, :slots]


def _positions(draw: Draw, count: int, slots: int, span: tuple[float, float]) -> Array:
    """(N, K, 2) float32 centres: anywhere in the span, or on a ring inside it when there are several."""
    if slots == 1:
        return between(draw("position"), count * 2, span).reshape(count, 1, 2)
    middle, reach = (span[0] + span[1]) / 2, (span[1] - span[0]) / 2
    turn = draw("turn").random((count, 1)) + np.arange(slots) / slots
    radius = reach * (1 + 0.15 * (2 * draw("position").random((count, slots)) - 1))
    ring = np.stack([np.cos(2 * np.pi * turn), np.sin(2 * np.pi * turn)], axis=-1)
    return (middle + radius[..., None] * ring).astype(np.float32)
