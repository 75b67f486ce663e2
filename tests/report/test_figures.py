"""Figures: the same bytes for the same data, the data's positions, and no mathematics in names."""

import itertools
import warnings
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
import synthetic

from assay import report
from assay.errors import StudyError
from assay.figures.bars import bars
from assay.figures.gallery import as_tiles, gallery
from assay.figures.lines import lines
from assay.figures.scatter import scatter
from assay.language import catalogue


def page(table: list[tuple], arms: tuple[str, ...] = ("erm", "treated"), arrays: dict | None = None, **changes) -> report.Page:
    """A page from rows (arm, seed, metric, x, value)."""
    frame = pd.DataFrame(table, columns=["arm", "seed", "metric", "x", "value"])
    study = synthetic.view("mixup", "P166", "training-recipes", arms={arm: {} for arm in arms}, **changes)
    return report.Page(study, catalogue.load()["P166"], frame, arrays or {}, {}, {})


BASES = {"treated": 0.7, "erm": 0.5}
PLAIN = [
    (arm, seed, metric, np.nan, base + 0.01 * seed)
    for arm, base in BASES.items()
    for seed in range(3)
    for metric in ("top1", "ece")
]
SLOPES = {"erm": 1.0, "treated": 2.0}
CURVES = [
    (arm, seed, "error", x, slope * x + 0.01 * seed)
    for arm, slope in SLOPES.items()
    for seed in range(3)
    for x in (3.0, 1.0, 2.0)
]
FIGURES = [
    {"bars": {}},
    {"lines": {}},
    {"lines": {"log_x": True, "log_y": True}},
    {"scatter": {"x": "top1", "y": "ece"}},
    {"gallery": {}},
    {},
]


@pytest.mark.parametrize("figure", FIGURES)
def test_same_data_gives_same_bytes_of_valid_svg(figure):
    source = page([*PLAIN, *CURVES], arrays={"erm/map": np.linspace(-1, 1, 64).reshape(1, 8, 8)}, figure=figure)
    first = report.figure(source)
    assert first == report.figure(source)
    assert ElementTree.fromstring(first).tag == "{http://www.w3.org/2000/svg}svg"
    assert b"prefers-color-scheme: dark" in first


def test_bars_run_from_the_baseline_mean_to_the_arms_mean():
    axes = bars(page(PLAIN), metrics=["top1"]).axes
    assert [label.get_text() for label in axes[0].get_yticklabels()] == ["erm", "treated"]
    treated = axes[0].patches[1]
    assert treated.get_x() == pytest.approx(0.51)
    assert treated.get_width() == pytest.approx(0.2)


def test_axes_say_label_unit_and_direction():
    metrics = {
        "top1": "Test accuracy [0 to 1, higher is better]: share",
        "ece": "Calibration error [0 to 1, lower is better]: mean",
        "error": "Error by size [share, neither is better]: share",
    }
    labelled = page([*PLAIN, *CURVES], metrics=metrics)
    above, below = bars(labelled).axes
    assert (above.get_title(), above.get_xlabel()) == ("Test accuracy (top1)", "0 to 1, higher is better")
    assert (below.get_title(), below.get_xlabel()) == ("Calibration error (ece)", "0 to 1, lower is better")
    (curves,) = lines(labelled).axes
    assert (curves.get_title(), curves.get_ylabel()) == ("Error by size (error)", "share, neither is better")
    (points,) = scatter(labelled, x="top1", y="ece").axes
    assert (points.get_xlabel(), points.get_ylabel()) == ("Test accuracy (top1)", "Calibration error (ece)")


def test_bars_show_every_seed():
    drawn = [line for line in bars(page(PLAIN), metrics=["top1"]).axes[0].lines if line.get_marker() == "o"]
    assert sorted(np.concatenate([line.get_xdata() for line in drawn])) == pytest.approx([0.5, 0.51, 0.52, 0.7, 0.71, 0.72])


def test_lines_are_means_in_order_of_x():
    (axis,) = lines(page(CURVES)).axes
    curve = axis.lines[1]
    assert list(curve.get_xdata()) == [1, 2, 3]
    assert list(curve.get_ydata()) == pytest.approx([2.01, 4.01, 6.01])


def test_lines_over_names_keep_their_order():
    table = [("erm", seed, "cka", layer, 0.5) for seed in range(2) for layer in ("stem", "block2", "block1")]
    (axis,) = lines(page(table)).axes
    assert [label.get_text() for label in axis.get_xticklabels()] == ["stem", "block2", "block1"]
    assert [line.get_linestyle() for line in axis.lines] == ["None"]  # no curve joins names


def test_arms_stand_side_by_side_over_a_name():
    table = [(arm, seed, "cka", layer, seed) for arm in ("erm", "treated") for seed in range(3) for layer in ("stem", "block")]
    (axis,) = lines(page(table)).axes
    erm, treated = (list(line.get_xdata()) for line in axis.lines)
    assert erm == pytest.approx([-0.3, 0.7])
    assert treated == pytest.approx([0.3, 1.3])
    assert [bars.get_segments()[0][:, 0].tolist() for bars in axis.collections] == [[-0.3] * 2, [0.3] * 2]


def test_long_names_are_slanted_so_that_they_do_not_overlap():
    table = [("erm", seed, "drop", f"a rather long name {number}", 0.5) for seed in range(2) for number in range(9)]
    figure = lines(page(table))
    figure.canvas.draw()
    boxes = [label.get_window_extent() for label in figure.axes[0].get_xticklabels()]
    assert {label.get_rotation() for label in figure.axes[0].get_xticklabels()} == {35}
    assert all(after.x1 - before.x1 > 10 for before, after in itertools.pairwise(boxes))


def test_scatter_has_a_point_for_each_seed():
    (axis,) = scatter(page(PLAIN), x="top1", y="ece").axes
    assert [len(line.get_xdata()) for line in axis.lines if line.get_linestyle() == "None"] == [3, 3]


def test_gallery_has_a_row_for_each_array_of_pictures():
    arrays = {"erm/maps": np.zeros((9, 8, 8)), "treated/images": np.zeros((2, 3, 8, 8)), "weights": np.zeros(5)}
    figure = gallery(page([], arrays=arrays), columns=4)
    assert [len(axis.images) for axis in figure.axes] == [0, 1, 1, 1, 1, 0, 1, 1, 0, 0]


@pytest.mark.parametrize(
    ("shape", "tiles"),
    [
        ((8, 8), (1, 8, 8)),
        ((4, 8, 8), (4, 8, 8)),
        ((4, 1, 8, 8), (4, 8, 8)),
        ((4, 3, 8, 8), (4, 8, 8, 3)),
        ((4, 5, 8, 8), None),
        ((8,), None),
    ],
)
def test_pictures_are_told_from_other_arrays(shape, tiles):
    found = as_tiles(np.zeros(shape))
    assert (None if found is None else found.shape) == tiles


@pytest.mark.parametrize("plug", [bars, lines, gallery])
def test_nothing_measured_is_said(plug):
    assert "No " in plug(page([])).axes[0].texts[0].get_text()


def test_unknown_metric_names_the_nearest():
    with pytest.raises(StudyError, match="unknown metric 'top'; did you mean 'top1'"):
        bars(page(PLAIN), metrics=["top"])


def test_names_are_text_and_never_markup_or_mathematics():
    table = [(synthetic.HOSTILE, seed, "a$b_{c", np.nan, 0.5 + seed) for seed in range(2)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawn = report.figure(page(table, arms=(synthetic.HOSTILE,), baseline=synthetic.HOSTILE)).decode()
    assert "<script" not in drawn
    assert "a$b_{c" in drawn


def test_one_seed_draws_no_interval():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report.figure(page([row for row in PLAIN if row[1] == 0]))


def test_description_comes_from_the_data():
    text = report.describe_figure(page(PLAIN))
    assert text == "Means over seeds. top1: treated 0.710, erm 0.510; ece: treated 0.710, erm 0.510."
    curve = report.describe_figure(replace(page([(a, s, m, x, v) for a, s, m, x, v in CURVES if x != 3])))
    assert curve == "Means over seeds. error over x: erm from 1.01 to 2.01, treated from 2.01 to 4.01."
