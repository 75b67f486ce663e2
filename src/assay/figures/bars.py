"""Arms of a study metric by metric: the mean over seeds, its 95% interval, and every seed as a point.

A bar runs from the baseline arm's mean to the arm's own, so its length is the difference; axes need no zero.
"""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from assay.evidence.summary import plain, summarise
from assay.figures import _style

CAPTION = "Ticks are means over seeds, thick lines 95% intervals, points single seeds; bars are differences from the baseline."


def bars(page, *, metrics: list[str] | None = None) -> Figure:
    """One panel for each metric that has no x (or those named), arms from top to bottom as the study lists them."""
    table = plain(page.observations)
    if table.empty:
        return _style.empty("No metric without a coordinate was measured.")
    names = _style.chosen(metrics, table["metric"], "metric")
    shown = [table[table["metric"] == name] for name in names]
    figure, axes = _style.panels([0.8 + 0.3 * rows["arm"].nunique() for rows in shown])
    for axis, name, rows in zip(axes, names, shown, strict=True):
        _panel(axis, page.study, rows)
        axis.set(title=_style.title(page, name), xlabel=_style.unit(page, name))
    return figure


def _panel(axis: Axes, study, rows: pd.DataFrame) -> None:
    means = {row.arm: row for row in summarise(rows).itertuples()}
    values = {arm: table.to_numpy() for arm, table in rows.groupby("arm", sort=False)["value"]}
    arms = _style.in_order(study.arms, rows["arm"])
    origin = means[study.baseline].mean if study.baseline in means else None
    if origin is not None:
        axis.axvline(origin, color=_style.BASELINE, linewidth=1, dashes=(3, 2))
    for height, arm in enumerate(arms):
        color = _style.BASELINE if arm == study.baseline else _style.ACCENT
        mean, low, high = means[arm].mean, means[arm].low, means[arm].high
        if origin is not None:
            axis.barh(height, mean - origin, left=origin, height=0.56, color=color, alpha=0.22)
        heights = height + _style.spread(len(values[arm]), 0.17)
        axis.plot(values[arm], heights, "o", color=color, markersize=3.4, alpha=0.75, markeredgewidth=0)
        axis.plot([low, high], [height, height], "-", color=color, linewidth=2, marker="", solid_capstyle="butt")
        axis.plot(mean, height, "|", color=color, markersize=13, markeredgewidth=2.2)
    axis.set_yticks(range(len(arms)), map(_style.short, arms))
    axis.set_ylim(len(arms) - 0.45, -0.55)
    axis.grid(visible=False, axis="y")
    axis.spines["left"].set_visible(False)
    axis.use_sticky_edges = False  # bars would otherwise pin the axis to the baseline
    axis.margins(x=0.06)
