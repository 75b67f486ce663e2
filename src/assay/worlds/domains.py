"""Another world in several styles of picture, with other styles in training than in test, as in PACS and other domain
generalisation benchmarks.

Styles: photo (as it is), inverted (negative), grey, sketch (dark outlines on white), poster (few tones of each colour),
blurred, washed (low contrast, coloured cast). Classes and all other factors stay those of the world.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Literal

import numpy as np
from scipy import ndimage

from assay.data.seeds import Draw
from assay.data.stream import whole
from assay.data.world import Split, World
from assay.language.plugs import Plug
from assay.worlds._split import refuse

FACTORS = ("domain",)
STYLES = ("photo", "inverted", "grey", "sketch", "poster", "blurred", "washed")


def domains(
    draw: Draw,
    *,
    of: Annotated[Callable, Plug("worlds")] = "shapes",
    train_styles: list[Literal["photo", "inverted", "grey", "sketch", "poster", "blurred", "washed"]] = [  # noqa: B006
        "photo",
        "poster",
        "washed",
    ],
    test_styles: list[Literal["photo", "inverted", "grey", "sketch", "poster", "blurred", "washed"]] = ["sketch"],  # noqa: B006
) -> World:
    """Each image gets one of its split's styles by chance. extra["seen"]: the test images in the training styles. Factor
    domain: index into STYLES.

    Raises StudyError when a split has no style.
    """
    for name, styles in (("train_styles", train_styles), ("test_styles", test_styles)):
        if not styles:
            raise refuse("domains", name, styles, f"one or more of {', '.join(STYLES)}", "name at least one")
    world = of(draw)
    draw = draw.under("domains")

    def restyle(part: str, split: Split, styles: list[str]) -> Split:
        domain = np.array([STYLES.index(name) for name in styles])[draw(part).integers(0, len(styles), len(split))]
        images = whole(split.images).copy()
        for index in np.unique(domain):
            rows = domain == index
            images[rows] = STYLE[STYLES[index]](images[rows])
        return replace(split, images=images, factors={**split.factors, "domain": domain})

    seen = restyle("seen", world.test, train_styles)
    return replace(
        world,
        train=restyle("train", world.train, train_styles),
        test=restyle("test", world.test, test_styles),
        extra={**world.extra, "seen": seen},
    )


def _grey(images: np.ndarray) -> np.ndarray:
    return np.broadcast_to(images.mean(axis=1, keepdims=True), images.shape)


def _sketch(images: np.ndarray) -> np.ndarray:
    """White less the gradient's magnitude, scaled so that the strongest edge of each image is black."""
    grey = ndimage.gaussian_filter(images.mean(axis=1), (0, 0.6, 0.6))
    edge = np.hypot(_sobel(grey, along=1, across=2), _sobel(grey, along=2, across=1))
    edge /= np.maximum(edge.max(axis=(1, 2), keepdims=True), 1e-6)
    return np.broadcast_to((1 - edge)[:, None], images.shape)


def _sobel(images: np.ndarray, along: int, across: int) -> np.ndarray:
    """Sobel's derivative along one axis of each image (N, H, W). scipy's own would smooth along all others, the first as well."""
    return ndimage.correlate1d(ndimage.correlate1d(images, (-1, 0, 1), axis=along), (1, 2, 1), axis=across)


STYLE = {
    "photo": lambda images: images,
    "inverted": lambda images: 1 - images,
    "grey": _grey,
    "sketch": _sketch,
    "poster": lambda images: np.round(images * 3) / 3,
    "blurred": lambda images: ndimage.gaussian_filter(images, (0, 0, 1, 1)),
    "washed": lambda images: (
        np.float32(0.35) + np.float32(0.35) * images * np.array([1.2, 1.0, 0.7], np.float32)[: images.shape[1], None, None]
    ),
}
