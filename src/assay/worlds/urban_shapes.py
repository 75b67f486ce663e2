"""UrbanCars with shapes: two classes, and two shortcuts, the background and a co-occurring object, each 95% aligned with the
class.

UrbanCars of "A Whac-A-Mole Dilemma: Shortcuts Come in Multiples Where Mitigating One Amplifies Others" (P093). As there: the
core object has half the image side and lies in the middle, the co-object a quarter of the side at (0.5, 0.875); given the class
the two shortcuts are independent; training holds exactly the asked share of every combination (at least one image each), test
and validation are balanced over all eight. Here cars are stars (urban) and crosses (country) of any colour and texture; a
background is a grey grid or a green meadow; a co-object is a reddish disc or a bluish triangle. The core is jittered about the
middle.
"""

from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt, Lt

from assay.data.seeds import Draw
from assay.data.world import Split, World
from assay.worlds import _render, _scene
from assay.worlds._split import balanced_labels, between, check_counts

FACTORS = ("backdrop", "background", "boxes", "clean_label", "co_object", "group", "mask", "masks")
CORE = ("star", "cross")
CO_OBJECT = ("circle", "triangle")
CO_OBJECT_HUE = (0.0, 0.6)


def urban_shapes(
    draw: Draw,
    *,
    size: Annotated[int, Ge(12)] = 16,
    train: Annotated[int, Ge(1)] = 2048,
    test: Annotated[int, Ge(1)] = 1024,
    valid: Annotated[int, Ge(0)] = 0,
    background_correlation: Annotated[float, Gt(0), Lt(1)] = 0.95,
    co_object_correlation: Annotated[float, Gt(0), Lt(1)] = 0.95,
) -> World:
    """Labels 0 urban, 1 country. valid: size of a balanced validation split, extra["valid"]; 0 for none.

    Factors: background, co_object (0 urban, 1 country), group = class * 4 + background * 2 + co_object, mask (N, H, W) of the
    core, masks (N, 2, H, W) and boxes (N, 2, 4) of core and co-object, backdrop (N, 3, H, W) the same picture without objects.
    Raises StudyError when a split has fewer than eight images.
    """
    check_counts("urban_shapes", 8, train=train, test=test, **({"valid": valid} if valid else {}))
    training = _split(draw.under("train"), train, size, background_correlation, co_object_correlation)
    testing = _split(draw.under("test"), test, size, 0.5, 0.5)
    extra = {"valid": _split(draw.under("valid"), valid, size, 0.5, 0.5)} if valid else {}
    return World(training, testing, ("urban", "country"), extra)


def _split(draw: Draw, count: int, size: int, background_share: float, co_object_share: float) -> Split:
    labels = balanced_labels(draw("label"), count, 2)
    differs = exact_combinations(draw("combination"), labels, background_share, co_object_share)
    background, co_object = labels ^ (differs >> 1), labels ^ (differs & 1)
    scene = _backdrop(draw, background, size)
    image, masks, _ = _scene.paint(draw, scene, _objects(draw, labels, co_object), (0.3, 0.55))
    factors = {
        "clean_label": labels,
        "background": background,
        "co_object": co_object,
        "group": labels * 4 + background * 2 + co_object,
        "mask": masks[:, 0],
        "masks": masks,
        "backdrop": _scene.expose(draw, scene.image.copy(), 0.04),
        "boxes": _render.boxes_of(masks),
    }
    return Split(_scene.expose(draw, image, 0.04), labels, factors)


def exact_combinations(
    generator: np.random.Generator, labels: np.ndarray, background_share: float, co_object_share: float
) -> np.ndarray:
    """(N,) 2 * (background differs from class) + (co-object differs), in exact shares within each class, each at least once."""
    aligned = np.outer([background_share, 1 - background_share], [co_object_share, 1 - co_object_share]).reshape(-1)
    result = np.empty(len(labels), np.int64)
    for label in range(2):
        rows = np.flatnonzero(labels == label)
        counts = np.maximum(1, np.floor(aligned * len(rows) + 1e-9).astype(int))
        counts[counts.argmax()] += len(rows) - counts.sum()
        result[rows] = generator.permutation(np.repeat(np.arange(4), counts))
    return result


def _backdrop(draw: Draw, background: np.ndarray, size: int) -> _scene.Backdrop:
    """Urban: a grey grid of blocks. Country: a green meadow of soft patches."""
    count = len(background)
    luminance = between(draw("background", "luminance"), count, (0.3, 0.7))
    urban = background == 0
    chroma = np.where(urban, 0.02, between(draw("background", "chroma"), count, (0.12, 0.22))).astype(np.float32)
    hue = np.where(urban, 0.0, between(draw("background", "hue"), count, (0.25, 0.4))).astype(np.float32)
    step = between(draw("background", "step"), count, (0.12, 0.2))
    grid = _render.texture(
        np.full(count, _render.TEXTURES.index("checker")),
        between(draw("background", "cycles"), count, (2.5, 3.5)),
        between(draw("background", "angle"), count, (-10, 10)),
        between(draw("background", "phase"), count, (0, 1)),
        np.zeros((count, size, size), np.float32),
    )
    meadow = _render.smooth_noise(draw("background", "clutter"), count, 3, size)
    share = np.where(urban[:, None, None], grid, meadow)
    first, second = _render.colour(luminance - step / 2, chroma, hue), _render.colour(luminance + step / 2, chroma, hue)
    return _scene.Backdrop(_render.mix(first, second, share), background, hue, luminance)


def _objects(draw: Draw, labels: np.ndarray, co_object: np.ndarray) -> _scene.Objects:
    """Object 0 the core, object 1 the co-object below it."""
    count = len(labels)
    draw = draw.under("object")
    names = _render.SHAPE_NAMES
    core = np.array([names.index(name) for name in CORE])[labels]
    small = np.array([names.index(name) for name in CO_OBJECT])[co_object]
    jitter = between(draw("position"), 4 * count, (-1, 1)).reshape(count, 2, 2) * np.array([[[0.06], [0.02]]], np.float32)
    return _scene.Objects(
        shape=np.stack([core, small], axis=1),
        position=np.array([[[0.5, 0.45], [0.5, 0.855]]], np.float32) + jitter,
        scale=np.stack([between(draw("scale"), count, (0.22, 0.29)), np.full(count, 0.125, np.float32)], axis=1),
        rotation=between(draw("rotation"), 2 * count, (-30, 30)).reshape(count, 2),
        texture=np.stack([draw("texture").integers(0, len(_render.TEXTURES), count), np.zeros(count, np.int64)], axis=1),
        cycles=between(draw("cycles"), 2 * count, (2.5, 6)).reshape(count, 2),
        hue=np.stack([between(draw("hue"), count, (0, 1)), np.array(CO_OBJECT_HUE, np.float32)[co_object]], axis=1),
    )
