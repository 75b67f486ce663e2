"""The main procedural world: one class of shape an image, in any texture, colour, place, size and turn, before any background.

Every quantity is drawn from its own stream and returned as a factor, so a study can hold one still, tie one to the class (a
shortcut whose strength is `correlation`) or move one between training and test. Label noise touches labels alone. Shapes are
drawn by signed distance (anti-aliased), textures and backgrounds have two colours each, light falls off to one side.
"""

from dataclasses import replace
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Le, Lt

from assay.data.seeds import Draw
from assay.data.world import Split, World
from assay.worlds import _render, _scene
from assay.worlds._split import (
    aligned_values,
    balanced_labels,
    check_counts,
    check_range,
    refuse,
    with_label_noise,
)

FACTORS = (
    "background",
    "background_hue",
    "boxes",
    "clean_label",
    "colour",
    "group",
    "hue",
    "mask",
    "masks",
    "objects",
    "position",
    "present",
    "rotation",
    "scale",
    "shape",
    "shortcut",
    "texture",
)

Span = tuple[float, float]


def shapes(
    draw: Draw,
    *,
    size: Annotated[int, Ge(8)] = 16,
    train: Annotated[int, Ge(1)] = 2048,
    test: Annotated[int, Ge(1)] = 1024,
    channels: Literal[1, 3] = 3,
    classes: Annotated[int, Ge(2), Le(20)] = 10,
    objects: Annotated[int, Ge(1), Le(6)] = 1,
    distractors: Annotated[int, Ge(0), Le(20)] = 2,
    position: tuple[float, float] = (0.32, 0.68),
    scale: tuple[float, float] = (0.27, 0.42),
    rotation: tuple[float, float] = (-30.0, 30.0),
    contrast: tuple[float, float] = (0.25, 0.6),
    noise: Annotated[float, Ge(0), Le(1)] = 0.04,
    test_position: tuple[float, float] | None = None,
    test_scale: tuple[float, float] | None = None,
    test_rotation: tuple[float, float] | None = None,
    shortcut: Literal["none", "background", "colour", "texture", "position", "patch"] = "none",
    correlation: Annotated[float, Ge(0), Le(1)] = 0.95,
    test_correlation: Annotated[float, Ge(0), Le(1)] | None = None,
    label_noise: Annotated[float, Ge(0), Lt(1)] = 0.0,
    noise_kind: Literal["uniform", "class", "instance"] = "uniform",
) -> World:
    """Images of shapes; the label is the class of the front object.

    position: range of the object's centre in image sides. scale: of its bounding circle's radius in image sides.
    rotation: of its turn in degrees. contrast: of the luminance step from the background to it. test_position, test_scale,
    test_rotation: another range for the test split.
    distractors: strokes behind the object. noise: deviation of the sensor noise. objects: with several, their classes differ
    and they lie on the ring that `position` spans.

    shortcut: a visible cue that takes one value a class ("background" and "colour": hue; "texture": pattern and its
    coarseness; "position": a place on a ring; "patch": the hue of a corner square). In training it is that of the class in a
    share `correlation` of images, else that of another class; in test in a share `test_correlation`, None for independent.

    Factors: clean_label, objects (N, K) classes, present (N, classes), shape, texture, colour (N, 3), hue, background,
    background_hue, position (N, 2), scale, rotation, mask (N, H, W) of all objects, masks (N, K, H, W), boxes (N, K, 4) and,
    with a shortcut, shortcut (N,) and group = class * classes + shortcut. Scalars are the front object's.

    Raises StudyError for ranges out of order, splits smaller than the classes, more objects than classes, or too many values
    for a shortcut.
    """
    _check(train, test, classes, objects, shortcut)
    tested = (test_position or position, test_scale or scale, test_rotation or rotation)
    for prefix, spans in (("", (position, scale, rotation)), ("test_", tested)):
        for name, span, low, high in zip(("position", "scale", "rotation"), spans, (0, 0.01, -360), (1, 1, 360), strict=True):
            check_range("shapes", prefix + name, span, low, high)
    check_range("shapes", "contrast", contrast, 0, 0.6)

    def split(part: Draw, count: int, place: Span, radius: Span, turn: Span, share: float | None) -> Split:
        labels = balanced_labels(part("label"), count, classes)
        items = _scene.free_objects(part, labels, classes, objects, place, radius, turn)
        hue, values = None, None
        if shortcut != "none":
            values = aligned_values(part, "shortcut", labels, classes, share)
            items, hue = _tie(items, shortcut, values, classes)
        scene = _scene.backdrop(part, count, size, distractors, hue=hue)
        image, masks, colours = _scene.paint(part, scene, items, contrast)
        image = _scene.expose(part, image, noise)
        if shortcut == "patch":
            _stamp(image, values, classes)
        if channels == 1:
            image = _render.grey(image)
        factors = _factors(scene, items, masks, colours, classes)
        if values is not None:
            factors |= {"shortcut": values, "group": labels * classes + values}
        return Split(image, labels, factors)

    training = split(draw.under("train"), train, position, scale, rotation, correlation)
    testing = split(draw.under("test"), test, *tested, test_correlation)
    return World(
        with_label_noise(draw.under("train"), training, classes, label_noise, noise_kind),
        with_label_noise(draw.under("test"), testing, classes, 0.0, noise_kind),
        _render.SHAPE_NAMES[:classes],
    )


def _check(train: int, test: int, classes: int, objects: int, shortcut: str) -> None:
    check_counts("shapes", classes, train=train, test=test)
    if objects > classes:
        raise refuse(
            "shapes", "objects", objects, f"at most {classes}, as objects differ in class", "raise classes or lower objects"
        )
    if shortcut == "texture" and classes > 10:
        raise refuse("shapes", "classes", classes, "at most 10 with shortcut: texture, one pattern a class", "lower classes")


def _tie(items: _scene.Objects, shortcut: str, values: np.ndarray, classes: int) -> tuple[_scene.Objects, np.ndarray | None]:
    """The objects with the shortcut's quantity set by its values (N,), and the background's hue where that is the shortcut."""
    turn = (values / classes).astype(np.float32)
    column = np.arange(items.shape.shape[1]) == 0
    if shortcut == "background":
        return items, turn
    if shortcut == "colour":
        return replace(items, hue=np.where(column, turn[:, None], items.hue)), None
    if shortcut == "texture":
        cycles = np.where(values < 5, 2.5, 6).astype(np.float32)
        return replace(
            items,
            texture=np.where(column, values[:, None] % 5, items.texture),
            cycles=np.where(column, cycles[:, None], items.cycles),
        ), None
    if shortcut == "position":
        place = 0.5 + 0.2 * np.stack([np.cos(2 * np.pi * turn), np.sin(2 * np.pi * turn)], axis=1)
        return replace(items, position=np.where(column[:, None], place[:, None].astype(np.float32), items.position)), None
    return items, None


def _stamp(images: np.ndarray, values: np.ndarray, classes: int) -> None:
    """Paint a square of the value's hue, a sixth of the side, into the top left corner, in place."""
    side = max(2, images.shape[-1] // 6)
    half = np.full(len(values), 0.5, np.float32)
    images[:, :, :side, :side] = _render.colour(half, half, (values / classes).astype(np.float32))[:, :, None, None]


def _factors(
    scene: _scene.Backdrop, items: _scene.Objects, masks: np.ndarray, colours: np.ndarray, classes: int
) -> dict[str, np.ndarray]:
    return {
        "objects": items.shape,
        "present": (items.shape[:, :, None] == np.arange(classes)).any(axis=1).astype(np.int64),
        "shape": items.shape[:, 0],
        "texture": items.texture[:, 0],
        "colour": colours[:, 0],
        "hue": items.hue[:, 0],
        "background": scene.kind,
        "background_hue": scene.hue,
        "position": items.position[:, 0],
        "scale": items.scale[:, 0],
        "rotation": items.rotation[:, 0],
        "mask": masks.max(axis=1),
        "masks": masks,
        "boxes": _render.boxes_of(masks),
    }
