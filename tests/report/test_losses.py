"""Training curves: the seeds' median and range, the words that go with them, and where the page shows them."""

import io
from dataclasses import replace
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import synthetic

from assay import report
from assay.language import catalogue
from assay.pipeline.sources import Sources
from assay.report.figure import ASSETS
from assay.report.losses import describe_losses, draw_losses, losses_figure

LOSSES = {"treated": np.array([[2.0, 1.0, 0.5], [4.0, 2.0, 1.0], [3.0, 1.5, 0.75]]), "erm": np.array([[1.0, 0.9]] * 3)}


@pytest.fixture
def page() -> report.Page:
    study = synthetic.view("mixup", "P166", "training-recipes")
    return report.Page(study, catalogue.load()["P166"], pd.DataFrame(), {}, {}, {}, LOSSES)


def test_each_arm_is_its_median_between_lowest_and_highest_seed(page):
    (axes,) = draw_losses(page).axes
    assert [line.get_label() for line in axes.lines] == ["erm", "treated"]
    assert list(axes.lines[1].get_xdata()) == [1, 2, 3]
    assert list(axes.lines[1].get_ydata()) == [3, 1.5, 0.75]
    heights = axes.collections[1].get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == (0.5, 4)
    assert axes.get_yscale() == "linear"


def test_losses_over_orders_of_magnitude_are_drawn_on_a_logarithmic_axis(page):
    (axes,) = draw_losses(replace(page, losses={"erm": np.array([[100.0, 0.1]])})).axes
    assert axes.get_yscale() == "log"
    (axes,) = draw_losses(replace(page, losses={"erm": np.array([[100.0, -0.1]])})).axes
    assert axes.get_yscale() == "linear"


def test_curves_are_the_same_bytes_for_the_same_data_and_turn_light(page):
    drawn = losses_figure(page)
    assert drawn == losses_figure(page)
    assert ElementTree.fromstring(drawn).tag == "{http://www.w3.org/2000/svg}svg"
    assert b"prefers-color-scheme: dark" in drawn


def test_curves_in_words(page):
    assert describe_losses(page) == (
        "Training loss over epochs, median seed: erm from 1.00 to 0.900 in 2 epochs, treated from 3.00 to 0.750 in 3 epochs."
    )


def test_arms_that_share_a_network_share_a_curve(page):
    shared = replace(page, losses=LOSSES | {"shuffled": LOSSES["erm"], "other": LOSSES["erm"].copy()})
    (axes,) = draw_losses(shared).axes
    assert [line.get_label() for line in axes.lines] == ["erm and 2 more", "treated"]
    assert "erm and 2 more from 1.00 to 0.900" in describe_losses(shared)


@pytest.mark.parametrize("length", [3, 11, 20])
def test_the_legend_stays_inside_the_figure(page, length):
    many = {f"{k:02d}{'n' * (length - 2)}": LOSSES["erm"] + k for k in range(14)}
    with mpl.rc_context(fname=str(ASSETS / "figures.mplstyle")):
        drawn = draw_losses(replace(page, losses=many))
        drawn.savefig(io.BytesIO(), format="png")
    box = drawn.legends[0].get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= drawn.bbox.x1


@pytest.mark.parametrize(("arms", "folded"), [(2, False), (9, True)])
def test_the_study_page_shows_the_curves_it_has(tmp_path, arms, folded):
    study = synthetic.view("mixup", "P166", "training-recipes", worlds={})
    results = tmp_path / "results" / "laptop"
    synthetic.store_evidence(results, study, synthetic.rows(study))
    without = build(results, study)
    assert "Training curves" not in without
    synthetic.keep(
        results / "observations" / "mixup" / "0-4", {f"arm{k}/training_loss": LOSSES["treated"] + k for k in range(arms)}
    )
    with_curves = build(results, study)
    assert 'src="../figures/mixup.losses.svg"' in with_curves
    assert "arm1 from 4.00 to 1.75 in 3 epochs" in with_curves
    assert (f"{arms} arms in one figure" in with_curves) == folded
    assert (results / "report" / "figures" / "mixup.losses.svg").exists()


def build(results, study) -> str:
    report.build(Sources.read(results), results / "report", [study], catalogue.load())
    return (results / "report" / "studies" / "mixup.html").read_text()
