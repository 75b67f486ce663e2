"""Objects whose shape and whose texture both tell the class in training; further test splits let the two cues disagree.

After the cue conflict images of "ImageNet-trained CNNs are biased towards texture; increasing shape bias improves accuracy and
robustness", Geirhos et al. 2019, which give a photograph the texture of another class by style transfer. Here a shape of one
class is filled with the pattern of another. Patterns differ in kind and coarseness; their turn and shift are drawn for each
image, so that no pixel tells. With the default contrasts a small residual network learns to use both cues.
"""

from typing import Annotated

import numpy as np
from annotated_types import Ge, Le

from assay.data.seeds import Draw
from assay.data.world import Split, World
from assay.worlds import _render, _scene
from assay.worlds._split import balanced_labels, between, check_counts, check_range

FACTORS = ("clean_label", "mask", "shape", "texture")

# A class's pattern: its kind, as in _render.TEXTURES, and how many periods of it an image holds.
PATTERNS = (("stripes", 3.0), ("stripes", 6.0), ("checker", 2.5), ("checker", 4.5), ("dots", 2.5), ("dots", 4.5), ("noise", 1.0))
PLAIN = -1  # the texture of an object of one colour, and the shape of a picture that is all texture


def cue_conflict(
    draw: Draw,
    *,
    size: Annotated[int, Ge(8)] = 16,
    train: Annotated[int, Ge(1)] = 2048,
    test: Annotated[int, Ge(1)] = 1024,
    classes: Annotated[int, Ge(2), Le(7)] = 7,
    position: tuple[float, float] = (0.4, 0.6),
    scale: tuple[float, float] = (0.34, 0.46),
    rotation: tuple[float, float] = (-90.0, 90.0),
    contrast: tuple[float, float] = (0.15, 0.4),
    texture_contrast: tuple[float, float] = (0.3, 0.6),
    distractors: Annotated[int, Ge(0), Le(20)] = 2,
    noise: Annotated[float, Ge(0), Le(1)] = 0.04,
) -> World:
    """position, scale, rotation, contrast, distractors, noise: as in worlds/shapes. texture_contrast: range of the luminance step
    between a pattern's two colours, whose mean is the object's colour.

    In train and test, shape and texture are of the label's class. extra["conflict"]: the test images, each with the texture of
    another class, drawn evenly; their label is the shape's. extra["shape"]: the test images with the object in one colour.
    extra["texture"]: the pattern and its colours alone, filling the image; its label is the texture's. Factors: clean_label,
    shape and texture (N,) class of each cue, -1 where it is absent, mask (N, H, W) of the object.

    Raises StudyError for ranges out of order and splits smaller than the classes.
    """
    check_counts("cue_conflict", classes, train=train, test=test)
    check_range("cue_conflict", "position", position, 0, 1)
    check_range("cue_conflict", "scale", scale, 0.01, 1)
    check_range("cue_conflict", "rotation", rotation, -360, 360)
    for name, span in (("contrast", contrast), ("texture_contrast", texture_contrast)):
        check_range("cue_conflict", name, span, 0, 0.6)

    def split(name: str, part: Draw, count: int) -> Split:
        labels = balanced_labels(part("label"), count, classes)
        texture = {"conflict": _another(part, labels, classes), "shape": np.full(count, PLAIN)}.get(name, labels)
        scene = _scene.backdrop(part, count, size, distractors)
        items = _scene.free_objects(part, labels, classes, 1, position, scale, rotation)
        cover = _render.coverage(labels, items.position[:, 0], items.scale[:, 0], items.rotation[:, 0], size)
        if name == "texture":
            cover = np.ones_like(cover)
        surface = _surface(part, scene, items.hue[:, 0], texture, contrast, texture_contrast, size)
        image = _scene.expose(part, _render.over(scene.image, surface, cover), noise)
        shape = np.full(count, PLAIN) if name == "texture" else labels
        factors = {"clean_label": labels, "shape": shape, "texture": texture, "mask": (cover >= 0.5).astype(np.uint8)}
        return Split(image, labels, factors)

    names = tuple(
        f"{shape}, {kind} {cycles:g}" for shape, (kind, cycles) in zip(_render.SHAPE_NAMES[:classes], PATTERNS, strict=False)
    )
    testing = draw.under("test")
    extra = {name: split(name, testing, test) for name in ("conflict", "shape", "texture")}
    return World(split("train", draw.under("train"), train), split("test", testing, test), names, extra)


def _another(draw: Draw, labels: np.ndarray, classes: int) -> np.ndarray:
    """(N,) a class other than the label, each equally likely."""
    return (labels + 1 + (draw("other").random(len(labels)) * (classes - 1)).astype(np.int64)) % classes


def _surface(
    draw: Draw,
    scene: _scene.Backdrop,
    hue: np.ndarray,
    texture: np.ndarray,
    contrast: tuple[float, float],
    texture_contrast: tuple[float, float],
    size: int,
) -> np.ndarray:
    """(N, 3, H, W) what covers the object: its colour, a step from the background's, moved up and down by the pattern."""
    draw, count = draw.under("surface"), len(texture)
    towards_middle = np.where(scene.luminance < 0.5, 1, -1).astype(np.float32)
    shade = scene.luminance + towards_middle * between(draw("contrast"), count, contrast)
    colour = _render.colour(shade, between(draw("chroma"), count, (0.05, 0.3)), hue)
    kinds = np.array([_render.TEXTURES.index(kind) for kind, _ in PATTERNS] + [0])
    cycles = np.array([periods for _, periods in PATTERNS] + [1.0], np.float32)
    turn, shift = between(draw("angle"), count, (0, 360)), between(draw("phase"), count, (0, 1))
    grain = draw("grain").random((count, size, size), dtype=np.float32)
    pattern = _render.texture(kinds[texture], cycles[texture], turn, shift, grain) - np.float32(0.5)
    step = between(draw("texture_contrast"), count, texture_contrast) * (texture != PLAIN)
    return np.clip(colour[:, :, None, None] + (step[:, None, None] * pattern)[:, None], 0, 1).astype(np.float32)
