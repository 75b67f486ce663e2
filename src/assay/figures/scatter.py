"""Two metrics against each other: a point for each arm and seed, and a cross with 95% intervals for each arm."""

from matplotlib.figure import Figure

from assay.evidence.summary import plain, summarise
from assay.figures import _style

CAPTION = "Points are single seeds, crosses means over seeds with 95% intervals."


def scatter(page, *, x: str, y: str, log_x: bool = False, log_y: bool = False) -> Figure:
    """Metric `y` over metric `x`, both without a coordinate of their own; StudyError if one was not measured."""
    table = plain(page.observations)
    _style.chosen([x, y], table["metric"], "metric")
    points = table.pivot(index=["arm", "seed"], columns="metric", values="value").reset_index()
    means = summarise(table).set_index(["arm", "metric"])
    arms = _style.in_order(page.study.arms, table["arm"])
    figure, (axis,) = _style.panels([3.6])
    for arm in arms:
        rows, at_x, at_y = points[points["arm"] == arm], means.loc[(arm, x)], means.loc[(arm, y)]
        (dots,) = axis.plot(rows[x], rows[y], linestyle="", alpha=0.8, markeredgewidth=0, label=_style.short(arm))
        axis.plot([at_x["low"], at_x["high"]], [at_y["mean"]] * 2, marker="", linewidth=1.6, color=dots.get_color())
        axis.plot([at_x["mean"]] * 2, [at_y["low"], at_y["high"]], marker="", linewidth=1.6, color=dots.get_color())
    axis.set(xlabel=_style.title(page, x), ylabel=_style.title(page, y))
    axis.set(xscale="log" if log_x else "linear", yscale="log" if log_y else "linear")
    figure.legend(*axis.get_legend_handles_labels(), loc="outside upper left", ncols=min(len(arms), 3))
    return figure
