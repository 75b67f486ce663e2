"""Pictures that protocols kept, as galleries: every array (N, C, H, W) with one or three channels, whatever study it is of.

The array's name says how it is to be seen. `images` and all others are shown as they are; `maps` (and `maps_...`) in blue for
negative, white for zero and red for positive values, each scaled by its largest; `filters` (and `filters_...`) as weights,
grey for zero, each scaled by its largest. Arrays of one arm with the same N belong together row by row: map i is of image i.
"""

import hashlib
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np

from assay.figures import _style
from assay.report.page import Page
from assay.report.words import label, number, plural
from assay.report.worlds import fitting, strip

MOST = 24  # strips on a page: some 10 kB each
LARGEST = 512  # pixels a side
ORDER = ("image", "map", "filter")
DRAWN = {
    "image": "",
    "map": "Red is positive, blue negative, white zero; each map is scaled by its largest value.",
    "filter": "Weights; grey is zero, each filter is scaled by its largest.",
}


@dataclass(frozen=True)
class Picture:
    """The first pictures of one kept array, side by side; arms: those that kept the very same."""

    name: str
    arms: tuple[str, ...]
    kind: str
    count: int
    shown: int
    height: int
    width: int
    drawn: str
    png: bytes

    @property
    def title(self) -> str:
        return label(self.name)

    @property
    def alt(self) -> str:
        """The strip in words."""
        shown = f"{plural(self.shown, self.kind)} ({self.title})"
        return f"{shown} of {', '.join(self.arms)}, {self.height} by {self.width} pixels."


def pictures(page: Page) -> list[Picture]:
    """The galleries of a study: images first, then maps, then filters, arms in the study's order; equal arrays once."""
    found: dict[tuple[str, str], list[str]] = {}
    for arm in _style.in_order(page.study.arms, dict.fromkeys(key.rpartition("/")[0] for key in page.arrays)):
        for key, array in page.arrays.items():
            owner, _, name = key.rpartition("/")
            if owner == arm and is_picture(array):
                content = hashlib.sha256(f"{array.shape} {array.dtype}".encode() + array.tobytes()).hexdigest()
                found.setdefault((name, content), []).append(key)
    rows = sorted(
        ((name, keys) for (name, _), keys in found.items()), key=lambda row: (ORDER.index(kind_of(row[0])), row[0] != "images")
    )
    return [_picture(name, keys, page.arrays[keys[0]]) for name, keys in rows[:MOST]]


def is_picture(array: np.ndarray) -> bool:
    """Whether an array is (N, C, H, W) of finite numbers with one or three channels, and small enough for a page."""
    if array.dtype.kind not in "fiub" or array.ndim != 4 or 0 in array.shape:
        return False
    return array.shape[1] in (1, 3) and max(array.shape[2:]) <= LARGEST and bool(np.isfinite(array).all())


def kind_of(name: str) -> str:
    """What an array of this name holds, one of ORDER."""
    return {"maps": "map", "filters": "filter"}.get(name.split("_")[0], "image")


def _picture(name: str, keys: list[str], array: np.ndarray) -> Picture:
    kind = kind_of(name)
    tiles = array[: fitting(*array.shape[2:])]
    values, drawn = seen(tiles, kind)
    arms = tuple(key.rpartition("/")[0] for key in keys)
    return Picture(name, arms, kind, len(array), len(tiles), *array.shape[2:], drawn or DRAWN[kind], strip(values))


def seen(tiles: np.ndarray, kind: str) -> tuple[np.ndarray, str]:
    """Values in [0, 1] that show the tiles (N, C, H, W), and how pixel values were changed where it is not the usual way."""
    values = tiles / 255 if tiles.dtype == np.uint8 else tiles.astype(float)
    if kind == "image":
        low, high = float(values.min()), float(values.max())
        if low >= 0 and high <= 1:
            return values, ""
        return (values - low) / (high - low or 1), f"Values from {number(low)} to {number(high)} are drawn from black to white."
    largest = np.abs(values).max(axis=(1, 2, 3), keepdims=True)
    values = values / np.where(largest > 0, largest, 1)
    if kind == "filter":
        return (values + 1) / 2, ""
    return mpl.colormaps["RdBu_r"]((values.mean(axis=1) + 1) / 2)[..., :3].transpose(0, 3, 1, 2), ""
