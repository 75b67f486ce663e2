"""Pictures kept as arrays beside the observations: a row for each array, signed or unbounded maps in two colours around zero."""

from typing import Annotated

import numpy as np
from annotated_types import Ge
from matplotlib.figure import Figure

from assay.figures import _style

CAPTION = "Pictures as they were kept; maps with values outside [0, 1] run from blue (negative) over white (zero) to red."
LABEL_WIDTH = 1.1
TILE = 0.62


def gallery(page, *, arrays: list[str] | None = None, columns: Annotated[int, Ge(1)] = 6) -> Figure:
    """The first `columns` pictures of each array that holds pictures (or of those named).

    Arrays are (H, W), (N, H, W) or (N, C, H, W) with 1 or 3 channels; values in [0, 1] are shown as they are.
    """
    pictures = {name: tiles for name, array in page.arrays.items() if (tiles := as_tiles(array)) is not None}
    if not pictures:
        return _style.empty("No pictures were kept.")
    names = _style.chosen(arrays, list(pictures), "array of pictures")
    width = max(min(len(pictures[name]), columns) for name in names)
    figure = Figure(figsize=(LABEL_WIDTH + TILE * width, (TILE + 0.04) * len(names)))
    ratios = [LABEL_WIDTH, *[TILE] * width]
    grid = figure.subplots(len(names), width + 1, squeeze=False, gridspec_kw={"width_ratios": ratios})
    for axis in grid.flat:
        axis.set_axis_off()
    for row, name in zip(grid, names, strict=True):
        row[0].text(0, 0.5, _style.short(name).replace("/", "\n"), va="center", fontsize=9)
        for axis, tile in zip(row[1:], pictures[name], strict=False):
            _show(axis, tile)
    return figure


def as_tiles(array: np.ndarray) -> np.ndarray | None:
    """Pictures as (N, H, W) or (N, H, W, 3); None if the array holds something else."""
    if array.dtype.kind not in "fiub" or array.ndim not in (2, 3, 4) or min(array.shape) == 0:
        return None
    array = array[None] if array.ndim == 2 else array
    if array.ndim == 4:
        if array.shape[1] not in (1, 3):
            return None
        array = array[:, 0] if array.shape[1] == 1 else array.transpose(0, 2, 3, 1)
    return array / 255 if array.dtype == np.uint8 else array.astype(float)


def _show(axis, tile: np.ndarray) -> None:
    finite = tile[np.isfinite(tile)]
    if tile.ndim == 3 or (finite.size and finite.min() >= 0 and finite.max() <= 1):
        axis.imshow(np.clip(np.nan_to_num(tile), 0, 1), cmap="gray", vmin=0, vmax=1)
        return
    largest = float(np.abs(finite).max()) if finite.size else 1.0
    axis.imshow(tile, cmap="RdBu_r", vmin=-largest, vmax=largest)
