"""Helpers all worlds share: class-balanced labels, label noise, shortcuts, and one-line errors about arguments."""

from typing import Literal

import numpy as np

from assay.data.seeds import Draw
from assay.data.world import Split
from assay.errors import StudyError

NoiseKind = Literal["uniform", "class", "instance"]


def refuse(world: str, parameter: str, value: object, allowed: str, fix: str) -> StudyError:
    """The error for an argument of a world that its annotation cannot rule out."""
    return StudyError(f"world {world}: {parameter} = {value} cannot be used (allowed: {allowed}); {fix}")


def check_counts(world: str, classes: int, **counts: int) -> None:
    """Raise StudyError when a split cannot hold one image of each class."""
    for name, count in counts.items():
        if count < classes:
            raise refuse(world, name, count, f"at least {classes}, one image a class", f"raise {name} or lower classes")


def check_range(world: str, parameter: str, value: tuple[float, float], low: float, high: float) -> None:
    """Raise StudyError unless low <= value[0] <= value[1] <= high."""
    if not low <= value[0] <= value[1] <= high:
        raise refuse(world, parameter, tuple(value), f"(from, to) with {low} <= from <= to <= {high}", "order the two")


def balanced_labels(generator: np.random.Generator, count: int, classes: int) -> np.ndarray:
    """(N,) int64 labels in random order, balanced in every run of `classes` images, so that a longer split starts with a
    shorter one.
    """
    runs = -(-count // classes)
    return generator.random((runs, classes)).argsort(axis=1).reshape(-1)[:count]


def between(generator: np.random.Generator, count: int, span: tuple[float, float]) -> np.ndarray:
    """(N,) float32 drawn uniformly from span."""
    low, high = span
    return (low + (high - low) * generator.random(count)).astype(np.float32)


def aligned_values(draw: Draw, name: str, labels: np.ndarray, values: int, share: float | None) -> np.ndarray:
    """(N,) int64 values of a shortcut: the label itself in a `share` of images, else one of the other values; None: independent
    of the label.
    """
    step = 1 + (draw(name, "other").random(len(labels)) * (values - 1)).astype(np.int64)
    aligned = draw(name, "aligned").random(len(labels)) < (1 / values if share is None else share)
    return np.where(aligned, labels, (labels + step) % values)


def noisy_labels(draw: Draw, labels: np.ndarray, images: np.ndarray, classes: int, rate: float, kind: NoiseKind) -> np.ndarray:
    """Labels of which an expected share `rate` is wrong; the draws touch no other stream.

    uniform: each other class is equally likely. class: a class is always mistaken for the next one (pair flip). instance:
    Part-dependent Label Noise (Xia et al., 2020), algorithm 2: every image has its own flip rate, and a random projection of
    its pixels decides what it is mistaken for. Here the flip rates' normal (deviation 0.1) is cut symmetrically about `rate`,
    so that the expected share stays `rate`; images are centred at 0.5.
    """
    flip = draw("label_noise", "flip").random(len(labels))
    if kind == "uniform":
        step = 1 + (draw("label_noise", "class").random(len(labels)) * (classes - 1)).astype(np.int64)
        return np.where(flip < rate, (labels + step) % classes, labels)
    if kind == "class":
        return np.where(flip < rate, (labels + 1) % classes, labels)
    reach = min(rate, 1 - rate)
    own_rate = rate + np.clip(0.1 * draw("label_noise", "rate").standard_normal(len(labels)), -reach, reach)
    return np.where(flip < own_rate, _mistaken_for(draw, labels, images, classes), labels)


def _mistaken_for(draw: Draw, labels: np.ndarray, images: np.ndarray, classes: int) -> np.ndarray:
    """(N,) a wrong class for each image, drawn from the softmax of a projection that belongs to its true class."""
    pixels = images.reshape(len(images), -1) - np.float32(0.5)
    projections = draw("label_noise", "projection").standard_normal((classes, pixels.shape[1], classes))
    logits = np.empty((len(labels), classes))
    for label in range(classes):
        logits[labels == label] = pixels[labels == label] @ projections[label].astype(np.float32)
    logits[np.arange(len(labels)), labels] = -np.inf
    gumbel = draw("label_noise", "gumbel").gumbel(size=logits.shape)
    return (logits + gumbel).argmax(axis=1)


def with_label_noise(draw: Draw, split: Split, classes: int, rate: float, kind: NoiseKind) -> Split:
    """The split with noisy labels; the true ones are its factor "clean_label"."""
    labels = noisy_labels(draw, split.labels, split.images, classes, rate, kind)
    return Split(split.images, labels, {**split.factors, "clean_label": split.labels})
