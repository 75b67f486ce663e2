"""Metrics along a coordinate (severity, depth, number of samples): a curve for each arm, its mean over seeds in a 95% band.

Where the coordinate is a name (a corruption, a kind of edit), there are points with intervals instead.
"""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from assay.evidence.summary import curves, summarise
from assay.figures import _style

CAPTION = "Curves and points are means over seeds, bands and bars 95% intervals."
FEW = 7
ASIDE = 0.3  # of the distance between names


def lines(
    page, *, metrics: list[str] | None = None, log_x: bool = False, log_y: bool = False, xlabel: str = "", height: float = 2.5
) -> Figure:
    """One panel for each metric that has an x (or those named); height in inches. A text x is drawn in order of appearance."""
    table = curves(page.observations)
    if table.empty:
        return _style.empty("No metric with a coordinate was measured.")
    names = _style.chosen(metrics, table["metric"], "metric")
    arms = _style.in_order(page.study.arms, table["arm"])
    figure, axes = _style.panels([height + 0.3 * (name == names[0]) for name in names])
    for axis, name in zip(axes, names, strict=True):
        axis.set(title=_style.title(page, name), ylabel=_style.unit(page, name))
        axis.set(xscale="log" if log_x else "linear", yscale="log" if log_y else "linear")
        if log_y:
            # The default labels are mathematics, which the report's figures do not read.
            axis.yaxis.set_major_formatter("{x:g}")
        _panel(axis, summarise(table[table["metric"] == name]), arms)
    axes[-1].set_xlabel(xlabel)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper left", ncols=min(len(arms), 3))
    return figure


def _panel(axis: Axes, table: pd.DataFrame, arms: list[str]) -> None:
    if pd.api.types.is_numeric_dtype(table["x"]):
        _curves(axis, table, arms)
    else:
        _points(axis, table, arms)


def _curves(axis: Axes, table: pd.DataFrame, arms: list[str]) -> None:
    for arm in arms:
        rows = table[table["arm"] == arm].sort_values("x")
        (curve,) = axis.plot(rows["x"], rows["mean"], label=_style.short(arm))
        axis.fill_between(rows["x"], rows["low"], rows["high"], color=curve.get_color(), alpha=0.16, linewidth=0)
    places = list(dict.fromkeys(table["x"]))
    if len(places) <= FEW:
        # Where few values of x were measured, these are the ticks.
        axis.set_xticks(places, [f"{x:g}" for x in places])
        axis.set_xticks([], minor=True)


def _points(axis: Axes, table: pd.DataFrame, arms: list[str]) -> None:
    """Names have no between: no curve joins them, and arms stand side by side."""
    places = {x: number for number, x in enumerate(dict.fromkeys(table["x"]))}
    for arm, aside in zip(arms, _style.spread(len(arms), ASIDE), strict=True):
        rows = table[table["arm"] == arm]
        x = rows["x"].map(places) + aside
        (points,) = axis.plot(x, rows["mean"], linestyle="", label=_style.short(arm))
        axis.vlines(x, rows["low"], rows["high"], color=points.get_color(), linewidth=1.2)
    names = [_style.short(x, 20) for x in places]
    slanted = {"rotation": 35, "ha": "right", "rotation_mode": "anchor"} if sum(map(len, names)) > _style.ROOM else {}
    axis.set_xticks(list(places.values()), names, **slanted)
