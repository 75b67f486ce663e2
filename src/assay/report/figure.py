"""A study's figure as SVG: drawn by the figure plug that the study names, the same bytes for the same data."""

import io
from collections.abc import Callable
from functools import cache
from typing import Any

import matplotlib as mpl
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from assay.evidence.summary import curves, plain, summarise
from assay.language.plugs import describe, load
from assay.report.page import Page
from assay.report.words import number
from assay.storage.places import PROJECT

ASSETS = PROJECT / "report"
NO_METADATA = {"Creator": None, "Date": None, "Format": None, "Type": None}
ALT_METRICS = 3


def figure(page: Page) -> bytes:
    """Draw the study's figure as SVG; a study that names none gets `bars`."""
    return as_svg(lambda: draw(page), page.study.name)


def draw(page: Page) -> Figure:
    """The study's figure by its plug, in the style that is in force."""
    name, parameters = plug(page)
    return load("figures", name)(page, **parameters)


def as_svg(drawing: Callable[[], Figure], salt: str) -> bytes:
    """A drawing in the report's style as SVG that turns light on dark pages; the salt keeps its identifiers the same."""
    # Names of arms and metrics are text, never mathematics: a lone "$" must not fail.
    with mpl.rc_context(fname=str(ASSETS / "figures.mplstyle")), mpl.rc_context({"svg.hashsalt": salt}):
        drawn = drawing()
        canvas = FigureCanvasSVG(drawn)
        lay_out(drawn)
        stream = io.StringIO()
        # Not `savefig`, which draws the whole figure in vain before, and sets a background that the style has already.
        canvas.print_svg(stream, metadata=NO_METADATA)
    return with_style(stream.getvalue()).encode()


def lay_out(drawn: Figure) -> None:
    """Find out where things are, once: saving would do so each time, for labels that say nothing as well."""
    for axis in (each for axes in drawn.axes for each in (axes.xaxis, axes.yaxis)):
        if not axis.get_label_text():
            axis.set_label_coords(0, 0)  # nobody looks for a place for it
    if engine := drawn.get_layout_engine():
        engine.execute(drawn)
    drawn.set_layout_engine("none")


def plug(page: Page) -> tuple[str, dict[str, Any]]:
    """The figure plug of the study and its parameters."""
    return next(iter((page.study.figure or {"bars": {}}).items()))


def caption(page: Page) -> str:
    """How to read the figure: the CAPTION of its plug, if it has one."""
    return describe("figures", plug(page)[0]).constants.get("CAPTION", "")


def with_style(svg: str) -> str:
    """Add the style sheet that turns the ink light on a dark page."""
    start, end = svg.split("</style>", 1)
    return f"{start}\n{figure_style()}</style>{end}"


@cache
def figure_style() -> str:
    """report/figures.css, which goes into every figure."""
    return (ASSETS / "figures.css").read_text(encoding="utf-8")


def describe_figure(page: Page) -> str:
    """The figure in words, made from the data: means of the first metrics by arm, or where their curves start and end."""
    table = summarise(plain(page.observations))
    sentences = [f"{metric}: {_means(rows)}" for metric, rows in table.groupby("metric", sort=False)]
    series = summarise(curves(page.observations))
    sentences += [f"{metric} over x: {_ends(rows)}" for metric, rows in series.groupby("metric", sort=False)]
    more = f" and {len(sentences) - ALT_METRICS} more metrics" if len(sentences) > ALT_METRICS else ""
    return f"Means over seeds. {'; '.join(sentences[:ALT_METRICS])}{more}." if sentences else "No observations."


def _means(rows) -> str:
    return ", ".join(f"{row.arm} {number(row.mean)}" for row in rows.itertuples())


def _ends(rows) -> str:
    ends = ((arm, points["mean"].iloc[0], points["mean"].iloc[-1]) for arm, points in rows.groupby("arm", sort=False))
    return ", ".join(f"{arm} from {number(first)} to {number(last)}" for arm, first, last in ends)
