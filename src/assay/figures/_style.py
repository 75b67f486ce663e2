"""What the figures share: sizes in inches, panels one below the other (readable on a phone), words for axes."""

from collections.abc import Iterable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from assay.errors import StudyError, unknown
from assay.language.metrics import read_metric

WIDTH = 4.6
BASELINE = "#7f858d"
ACCENT = "#2f7fc1"
ROOM = 55  # letters that fit above or below a panel


def panels(heights: list[float], width: float = WIDTH) -> tuple[Figure, list[Axes]]:
    """A figure with one axes for each height, stacked. Built without pyplot, so nothing stays open."""
    drawn = Figure(figsize=(width, sum(heights)))
    axes = drawn.subplots(len(heights), 1, squeeze=False, gridspec_kw={"height_ratios": heights})
    return drawn, list(axes[:, 0])


def empty(text: str) -> Figure:
    """A figure that says why nothing is drawn."""
    drawn, (axes,) = panels([0.8])
    axes.set_axis_off()
    axes.text(0, 0.5, text, va="center")
    return drawn


def chosen(wanted: list[str] | None, present: Iterable[str], what: str) -> list[str]:
    """The wanted names, all present ones if none are named; StudyError for one that was not measured."""
    names = list(dict.fromkeys(present))
    for name in wanted or []:
        if name not in names:
            raise StudyError(f"figure: {unknown(what, name, names)}")
    return wanted or names


def in_order(arms: dict, present: Iterable[str]) -> list[str]:
    """Measured arms as the study lists them, then any others."""
    return sorted(dict.fromkeys(present), key=lambda arm: list(arms).index(arm) if arm in arms else len(arms))


def spread(count: int, width: float) -> np.ndarray:
    """Offsets that set the seeds of one arm apart, in [-width, width]."""
    return np.linspace(-width, width, count) if count > 1 else np.zeros(count)


def title(page, metric: str) -> str:
    """A metric's label with the name that expectations use; the name alone of what no protocol declares, such as losses."""
    line = page.study.metrics.get(metric)
    return short(f"{read_metric(metric, line).label} ({metric})" if line else metric, ROOM)


def unit(page, metric: str) -> str:
    """Unit and better direction of a metric; nothing of what no protocol declares."""
    line = page.study.metrics.get(metric)
    return "{0.unit}, {0.direction}".format(read_metric(metric, line)) if line else ""


def short(name: str, length: int = 34) -> str:
    """A name that leaves room for the axes."""
    return name if len(name) <= length else f"{name[: length - 1]}…"
