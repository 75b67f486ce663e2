"""Vectorised drawing: signed distances, coverage, textures, colours and light for many images at once.

Coordinates are fractions of the image side, x to the right and y down, pixel centres at (i + 0.5) / size. Images are (N, C, H,
W) float32.
"""

from collections.abc import Callable

import numpy as np
from numpy import ndarray as Array

TAU = np.float32(2 * np.pi)


def regular(corners: int, turn: float = 0.0, inner: float | None = None) -> Array:
    """(V, 2) corners on the unit circle; with `inner`, a star whose inner corners have that radius."""
    count = corners if inner is None else 2 * corners
    angle = turn + 2 * np.pi * np.arange(count) / count - np.pi / 2
    radius = np.ones(count)
    if inner is not None:
        radius[1::2] = inner
    return (radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)).astype(np.float32)


def unit(points: list[tuple[float, float]]) -> Array:
    """(V, 2) corners, centred on their bounding circle (through the two farthest corners) and scaled to radius 1."""
    corners = np.array(points, np.float32)
    corners = corners - (corners.max(axis=0) + corners.min(axis=0)) / 2
    return corners / np.sqrt((corners**2).sum(axis=1)).max()


def polygon(corners: Array) -> Callable[[Array, Array], Array]:
    """The exact signed distance to a simple polygon, negative inside."""

    def distance(x: Array, y: Array) -> Array:
        nearest = np.full(x.shape, np.inf, np.float32)
        inside = np.zeros(x.shape, bool)
        for (ax, ay), (bx, by) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
            ex, ey = bx - ax, by - ay
            px, py = x - ax, y - ay
            along = np.clip((px * ex + py * ey) / (ex * ex + ey * ey), 0, 1)
            np.minimum(nearest, (px - ex * along) ** 2 + (py - ey * along) ** 2, out=nearest)
            if ey != 0:
                inside ^= ((ay > y) != (by > y)) & (px < ex * py / ey)
        return np.where(inside, -1, 1).astype(np.float32) * np.sqrt(nearest)

    return distance


def circle(x: Array, y: Array) -> Array:
    return np.sqrt(x * x + y * y) - 1


def ring(x: Array, y: Array) -> Array:
    return np.abs(np.sqrt(x * x + y * y) - np.float32(0.75)) - np.float32(0.25)


def crescent(x: Array, y: Array) -> Array:
    """A disc less a shifted disc; a bound on the distance near the two tips, exact elsewhere on the outline."""
    bite = np.sqrt((x - np.float32(0.55)) ** 2 + y * y) - np.float32(0.85)
    return np.maximum(circle(x, y), -bite)


def half_disc(x: Array, y: Array) -> Array:
    return np.maximum(circle(x, y), y - np.float32(0.1))


def pill(x: Array, y: Array) -> Array:
    """A thick stroke with round ends."""
    along = np.clip(x, np.float32(-0.68), np.float32(0.68))
    return np.sqrt((x - along) ** 2 + y * y) - np.float32(0.32)


_CROSS = [(-1, -3), (1, -3), (1, -1), (3, -1), (3, 1), (1, 1), (1, 3), (-1, 3), (-1, 1), (-3, 1), (-3, -1), (-1, -1)]
_CORNER = [(0, 0), (1, 0), (1, 2), (3, 2), (3, 3), (0, 3)]
_TEE = [(0, 0), (3, 0), (3, 1), (2, 1), (2, 3), (1, 3), (1, 1), (0, 1)]
_ARROW = [(0, -3), (2.4, -0.4), (0.9, -0.4), (0.9, 3), (-0.9, 3), (-0.9, -0.4), (-2.4, -0.4)]
_ZIGZAG = [(0, 0), (2, 0), (2, 2), (3, 2), (3, 3), (1, 3), (1, 1), (0, 1)]
_COMB = [(0, 0), (1, 0), (1, 2), (2, 2), (2, 0), (3, 0), (3, 3), (0, 3)]

# Every shape fits the unit circle. The order is that in which a world takes its classes: the first ones differ most.
SHAPES: dict[str, Callable[[Array, Array], Array]] = {
    "circle": circle,
    "square": polygon(regular(4, np.pi / 4)),
    "triangle": polygon(regular(3)),
    "star": polygon(regular(5, inner=0.42)),
    "cross": polygon(unit(_CROSS)),
    "ring": ring,
    "crescent": crescent,
    "pill": pill,
    "corner": polygon(unit(_CORNER)),
    "hourglass": polygon(unit([(0, 0), (3, 0), (1.8, 2), (3, 4), (0, 4), (1.2, 2)])),
    "arrow": polygon(unit(_ARROW)),
    "comb": polygon(unit(_COMB)),
    "zigzag": polygon(unit(_ZIGZAG)),
    "half_disc": half_disc,
    "tee": polygon(unit(_TEE)),
    "spark": polygon(regular(4, inner=0.35)),
    "hexagon": polygon(regular(6)),
    "rhombus": polygon(unit([(0, -2), (1.1, 0), (0, 2), (-1.1, 0)])),
    "kite": polygon(unit([(0, -2), (1.2, -0.8), (0, 2), (-1.2, -0.8)])),
    "gear": polygon(regular(8, inner=0.7)),
}
SHAPE_NAMES = tuple(SHAPES)


def grid(size: int) -> tuple[Array, Array]:
    """x and y of the pixel centres, each (1, size * size) float32."""
    centre = (np.arange(size, dtype=np.float32) + np.float32(0.5)) / np.float32(size)
    return np.tile(centre, size)[None], np.repeat(centre, size)[None]


def coverage(shape: Array, position: Array, scale: Array, rotation: Array, size: int) -> Array:
    """(N, H, W) share of each pixel that the shape covers, in [0, 1], by its signed distance in pixels.

    shape: (N,) index into SHAPE_NAMES. position: (N, 2) centre. scale: (N,) radius of the bounding circle. rotation: (N,)
    degrees, clockwise on screen.
    """
    x, y = grid(size)
    result = np.empty((len(shape), size * size), np.float32)
    for index in np.unique(shape):
        rows = np.flatnonzero(shape == index)
        for chunk in np.array_split(rows, -(-len(rows) * size * size // 65536)):
            dx, dy = x - position[chunk, :1], y - position[chunk, 1:]
            radius, angle = scale[chunk, None], np.deg2rad(rotation[chunk, None])
            cos, sin = np.cos(angle) / radius, np.sin(angle) / radius
            distance = SHAPES[SHAPE_NAMES[index]](dx * cos + dy * sin, dy * cos - dx * sin)
            result[chunk] = np.clip(np.float32(0.5) - distance * (radius * np.float32(size)), 0, 1)
    return result.reshape(-1, size, size)


def stroke(start: Array, end: Array, width: Array, size: int) -> Array:
    """(N, H, W) coverage of straight strokes with round ends; start, end: (N, 2); width: (N,) full width."""
    x, y = grid(size)
    ex, ey = (end - start)[:, :1], (end - start)[:, 1:]
    px, py = x - start[:, :1], y - start[:, 1:]
    along = np.clip((px * ex + py * ey) / np.maximum(ex * ex + ey * ey, np.float32(1e-9)), 0, 1)
    distance = np.sqrt((px - ex * along) ** 2 + (py - ey * along) ** 2) - width[:, None] / 2
    return np.clip(np.float32(0.5) - distance * np.float32(size), 0, 1).reshape(-1, size, size)


def smooth_noise(generator: np.random.Generator, count: int, cells: int, size: int) -> Array:
    """(N, H, W) in [0, 1]: uniform noise on a (cells + 1)-point lattice, interpolated linearly."""
    lattice = generator.random((count, cells + 1, cells + 1), dtype=np.float32)
    at = (np.arange(size, dtype=np.float32) + np.float32(0.5)) / np.float32(size) * cells
    weights = np.maximum(0, 1 - np.abs(at[:, None] - np.arange(cells + 1, dtype=np.float32)))
    return weights @ lattice @ weights.T


TEXTURES = ("plain", "stripes", "checker", "dots", "noise")


def texture(kind: Array, cycles: Array, angle: Array, phase: Array, grain: Array) -> Array:
    """(N, H, W) in [0, 1], the share of the second colour: a pattern of `cycles` periods an image, turned by angle (degrees),
    shifted by phase (periods).

    kind: (N,) index into TEXTURES; grain: (N, H, W) in [0, 1], what "noise" shows.
    """
    size = grain.shape[-1]
    x, y = grid(size)
    result = np.zeros((len(kind), size * size), np.float32)
    for index, name in enumerate(TEXTURES[1:], 1):
        rows = np.flatnonzero(kind == index)
        if name == "noise":
            result[rows] = grain[rows].reshape(len(rows), size * size)
            continue
        turn, period = np.deg2rad(angle[rows, None]), TAU * cycles[rows, None]
        across = (x * np.cos(turn) + y * np.sin(turn)) * period + TAU * phase[rows, None]
        along = (y * np.cos(turn) - x * np.sin(turn)) * period + TAU * phase[rows, None]
        result[rows] = _pattern(name, across, along)
    return result.reshape(-1, size, size)


def _pattern(name: str, across: Array, along: Array) -> Array:
    """A pattern in [0, 1] with edges soft enough not to alias at a few pixels a period."""
    if name == "stripes":
        wave = 2 * np.sin(across)
    elif name == "checker":
        wave = 2 * np.sin(across) * np.sin(along)
    else:
        wave = 2 * (np.cos(across) + np.cos(along) - np.float32(0.4))
    return np.clip(np.float32(0.5) + wave / 2, 0, 1)


def colour(luminance: Array, chroma: Array, hue: Array) -> Array:
    """(N, 3) RGB in [0, 1]: a grey plus a hue (turns) of the given strength; clipped."""
    offsets = np.arange(3, dtype=np.float32) / 3
    return np.clip(luminance[:, None] + chroma[:, None] * np.cos(TAU * (hue[:, None] - offsets)), 0, 1)


def mix(first: Array, second: Array, share: Array) -> Array:
    """(N, 3, H, W) images that go from the first colour (N, 3) to the second as share (N, H, W) goes from 0 to 1."""
    return first[:, :, None, None] + (second - first)[:, :, None, None] * share[:, None]


def over(below: Array, above: Array, share: Array) -> Array:
    """Paint above (N, 3, H, W) on below where share (N, H, W) says; returns below, changed in place."""
    below += (above - below) * share[:, None]
    return below


def grey(images: Array) -> Array:
    """(N, 1, H, W) luminance of RGB images, with the weights of ITU-R BT.601."""
    return np.einsum("nchw,c->nhw", images, np.array([0.299, 0.587, 0.114], np.float32))[:, None]


def boxes_of(masks: Array) -> Array:
    """(N, K, 4) int64 tight boxes x0, y0, x1, y1 around masks (N, K, H, W), far edges exclusive; zeros for an empty mask."""
    columns, rows = masks.any(axis=-2), masks.any(axis=-1)
    width, height = columns.shape[-1], rows.shape[-1]
    box = np.stack(
        [
            columns.argmax(axis=-1),
            rows.argmax(axis=-1),
            width - columns[..., ::-1].argmax(axis=-1),
            height - rows[..., ::-1].argmax(axis=-1),
        ],
        axis=-1,
    )
    return np.where(columns.any(axis=-1)[..., None], box, 0)
