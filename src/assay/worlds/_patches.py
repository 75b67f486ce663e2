"""Patches cut from pictures, training patches from the left 60% of a picture and test patches from the rest, so none overlap."""

import numpy as np

from assay.data.seeds import Draw
from assay.data.world import Split, World
from assay.worlds._sources import picture, shrink
from assay.worlds._split import balanced_labels, check_counts, refuse


def world_of_pictures(
    world: str, draw: Draw, names: tuple[str, ...], *, size: int, train: int, test: int, shrink_by: int
) -> World:
    """Patches of the pictures in these files; the label is the picture, the class its file's name.

    shrink_by: pictures are averaged over blocks of this side first. StudyError when a patch does not fit or a split is smaller
    than the classes.
    """
    check_counts(world, len(names), train=train, test=test)
    images = [shrink(picture(name), shrink_by) for name in names]
    check_fits(world, images, size, shrink_by)
    splits = [
        patches(draw, part, images, balanced_labels(draw(part, "label"), count, len(names)), size)
        for part, count in (("train", train), ("test", test))
    ]
    return World(*splits, tuple(name.split(".")[0] for name in names))


def check_fits(world: str, images: list[np.ndarray], size: int, shrink_by: int) -> None:
    """Raise StudyError when the test part of an image (C, H, W) cannot hold a patch."""
    most = min(min(halves(image, "test")[0].shape[-2:]) for image in images)
    if size > most:
        raise refuse(world, "size", size, f"at most {most} pixels at shrink_by = {shrink_by}", "lower size or shrink_by")


def halves(image: np.ndarray, part: str) -> tuple[np.ndarray, int]:
    """The part of (..., W) that a split may see, left 60% for "train" and right 40% for the rest, and its first column."""
    border = round(image.shape[-1] * 0.6)
    return (image[..., :border], 0) if part == "train" else (image[..., border:], border)


def patches(draw: Draw, part: str, images: list[np.ndarray], labels: np.ndarray, size: int) -> Split:
    """A random patch of image labels[n] for every n; flips are left to augmentation.

    Factors: clean_label, source, corner (N, 2) x and y.
    """
    where = draw.under(part)("corner").random((len(labels), 2))
    corner = np.empty((len(labels), 2), np.int64)
    result = np.empty((len(labels), len(images[0]), size, size), np.float32)
    for index, image in enumerate(images):
        rows = np.flatnonzero(labels == index)
        seen, first = halves(image, part)
        room = np.array([seen.shape[-1] - size + 1, seen.shape[-2] - size + 1])
        at = (where[rows] * room).astype(np.int64)
        windows = np.lib.stride_tricks.sliding_window_view(seen, (size, size), axis=(-2, -1))
        result[rows] = windows[:, at[:, 1], at[:, 0]].transpose(1, 0, 2, 3)
        corner[rows] = at + np.array([first, 0])
    return Split(result, labels, {"clean_label": labels, "source": labels, "corner": corner})
