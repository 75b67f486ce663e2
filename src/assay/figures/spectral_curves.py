"""Mean power spectrum of each arm's images, and how far it lies from that of a reference arm; each arm's detection in the legend.

The kind of plot that "Watch your Up-Convolution: CNN Based Generative Deep Neural Networks are Failing to Reproduce Spectral
Distributions" shows throughout.
"""

from matplotlib.figure import Figure

from assay.evidence.summary import curves, plain, summarise
from assay.figures import _style

CAPTION = "Curves are means over seeds, bands 95% intervals; shares in the legend are images found out by their spectrum."


def spectral_curves(page, *, reference: str = "real", without: list[str] = []) -> Figure:  # noqa: B006  (read, never altered)
    """Metric "spectrum" over radius, means over seeds in a 95% band. without: arms left out, such as one far off the scale."""
    table = curves(page.observations)
    table = table[(table["metric"] == "spectrum") & ~table["arm"].isin(without)]
    if table.empty:
        return _style.empty("No spectrum was measured.")
    _style.chosen([reference], table["arm"], "arm")
    found = plain(page.observations)
    found = found[found["metric"] == "detection"].groupby("arm")["value"].mean()
    wide = table.pivot_table("value", ["seed", "x"], "arm")
    apart = wide.sub(wide[reference], axis=0).stack().rename("value").reset_index().assign(metric="spectrum")
    figure, (above, below) = _style.panels([2.8, 2.3])
    for arm in _style.in_order(page.study.arms, table["arm"]):
        label = f"{_style.short(arm)} ({found[arm]:.0%})" if arm in found else _style.short(arm)
        for axis, rows in ((above, table), (below, apart)):
            means = summarise(rows[rows["arm"] == arm]).sort_values("x")
            (curve,) = axis.plot(means["x"], means["mean"], label=label)
            axis.fill_between(means["x"], means["low"], means["high"], color=curve.get_color(), alpha=0.16, linewidth=0)
    above.set_title("spectrum (share of images told from real ones)")
    below.set_title(f"spectrum less that of {reference}")
    below.set_xlabel("radius, cycles an image")
    figure.legend(*above.get_legend_handles_labels(), loc="outside upper left", ncols=2)
    return figure
