"""Training curves: the mean loss of each epoch, one line for each arm, between the lowest and the highest seed."""

import numpy as np
from matplotlib.figure import Figure

from assay.figures import _style
from assay.report.figure import as_svg
from assay.report.page import Page
from assay.report.words import number

SPAN = 30  # largest over smallest loss from which the axis is logarithmic
LEGEND = 52  # characters in a line of the legend, with six for each mark
FEW = 8  # arms whose curves are shown without being asked for: as many as there are colours


def losses_figure(page: Page) -> bytes:
    """The training curves of all arms that were trained, as SVG."""
    return as_svg(lambda: draw_losses(page), f"{page.study.name}/losses")


def draw_losses(page: Page) -> Figure:
    """The median seed as a line, the range of seeds as a band; a single epoch is a point."""
    curves = distinct(page)
    columns = min(3, max(1, LEGEND // (max(map(len, curves), default=0) + 6)))
    drawn, (axes,) = _style.panels([2.5 + 0.2 * np.ceil(len(curves) / columns)])
    for name, losses in curves.items():
        epochs = np.arange(1, losses.shape[1] + 1)
        (line,) = axes.plot(epochs, np.median(losses, axis=0), label=name, markevery=max(1, len(epochs) // 8))
        axes.fill_between(epochs, losses.min(axis=0), losses.max(axis=0), color=line.get_color(), alpha=0.16, linewidth=0)
    axes.set(title="Training loss", xlabel="epoch")
    axes.xaxis.get_major_locator().set_params(integer=True)
    if _wide(page):
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("")
    drawn.legend(loc="outside upper left", ncols=columns)
    return drawn


def distinct(page: Page) -> dict[str, np.ndarray]:
    """The curves by the names of their arms; arms that share a network share one, named after the first of them."""
    shared: dict[bytes, list[str]] = {}
    for arm in _style.in_order(page.study.arms, page.losses):
        shared.setdefault(page.losses[arm].tobytes(), []).append(arm)
    return {
        _style.short(first, 20) + (f" and {len(rest)} more" if rest else ""): page.losses[first]
        for first, *rest in shared.values()
    }


def _wide(page: Page) -> bool:
    """Whether the losses span orders of magnitude, all of them positive."""
    values = np.concatenate([losses.ravel() for losses in page.losses.values()])
    values = values[np.isfinite(values)]
    return values.size > 0 and values.min() > 0 and values.max() > SPAN * values.min()


def describe_losses(page: Page) -> str:
    """The curves in words, made from the data: the loss of the median seed at the first and the last epoch, by arm."""
    return f"Training loss over epochs, median seed: {', '.join(_ends(name, losses) for name, losses in distinct(page).items())}."


def _ends(name: str, losses: np.ndarray) -> str:
    curve = np.median(losses, axis=0)
    return f"{name} from {number(float(curve[0]))} to {number(float(curve[-1]))} in {len(curve)} epochs"
