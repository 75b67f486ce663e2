"""Training curves: the mean loss of each epoch, one line for each arm, between the lowest and the highest seed."""

import numpy as np
from matplotlib.figure import Figure

from assay.figures import _style
from assay.report.figure import as_svg
from assay.report.page import Page
from assay.report.words import number

SPAN = 30  # largest over smallest loss from which the axis is logarithmic
FEW = 8  # arms whose curves are shown without being asked for: as many as there are colours


def losses_figure(page: Page) -> bytes:
    """The training curves of all arms that were trained, as SVG."""
    return as_svg(lambda: draw_losses(page), f"{page.study.name}/losses")


def draw_losses(page: Page) -> Figure:
    """The median seed as a line, the range of seeds as a band; a single epoch is a point."""
    arms = _style.in_order(page.study.arms, page.losses)
    drawn, (axes,) = _style.panels([2.5 + 0.2 * np.ceil(len(arms) / 3)])
    for arm in arms:
        losses = page.losses[arm]
        epochs = np.arange(1, losses.shape[1] + 1)
        (line,) = axes.plot(epochs, np.median(losses, axis=0), label=_style.short(arm, 20), markevery=max(1, len(epochs) // 8))
        axes.fill_between(epochs, losses.min(axis=0), losses.max(axis=0), color=line.get_color(), alpha=0.16, linewidth=0)
    axes.set(title="Training loss", xlabel="epoch")
    axes.xaxis.get_major_locator().set_params(integer=True)
    if _wide(page):
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("")
    drawn.legend(loc="outside upper left", ncols=min(len(arms), 3))
    return drawn


def _wide(page: Page) -> bool:
    """Whether the losses span orders of magnitude, all of them positive."""
    values = np.concatenate([losses.ravel() for losses in page.losses.values()])
    values = values[np.isfinite(values)]
    return values.size > 0 and values.min() > 0 and values.max() > SPAN * values.min()


def describe_losses(page: Page) -> str:
    """The curves in words, made from the data: the loss of the median seed at the first and the last epoch, by arm."""
    return f"Training loss over epochs, median seed: {', '.join(_ends(page, arm) for arm in page.losses)}."


def _ends(page: Page, arm: str) -> str:
    curve = np.median(page.losses[arm], axis=0)
    return f"{arm} from {number(float(curve[0]))} to {number(float(curve[-1]))} in {len(curve)} epochs"
