"""A page's evidence: the stored numbers as a table, and nothing at all when a file was cut, altered or lost."""

from dataclasses import replace

import pandas as pd
import pytest
import synthetic

from assay import report
from assay.errors import EvidenceError
from assay.evidence.tables import Observation
from assay.language import catalogue
from assay.pipeline.sources import Sources
from assay.report.page import as_table


@pytest.fixture
def stored(tmp_path):
    study = synthetic.view("mixup", "P166", "training-recipes")
    synthetic.store(tmp_path, study, synthetic.rows(study))
    return Sources.read(tmp_path), study


def read(sources, study):
    return report.read_page(sources, study, catalogue.load()[study.paper])


def test_observations_come_back_exactly(stored):
    page = read(*stored)
    written = synthetic.rows(stored[1])
    assert [repr(value) for value in page.observations["value"]] == [row[5] for row in written]
    assert page.observations["x"].isna().sum() == sum(row[4] == "" for row in written)
    assert page.arrays["erm/map"].shape == (2, 8, 8)
    assert page.provenance["seeds"] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("xs", "shown", "kind"),
    [((0.0, 0.5, None), [0.0, 0.5], "f"), (("conv1", 2.0, None), ["conv1", "2"], "O"), ((None, None), [], "f")],
)
def test_coordinates_are_numbers_or_names(xs, shown, kind):
    table = as_table([Observation("s", "nan", 0, "NA", x, 1.0) for x in xs])
    assert table["x"].dtype.kind == kind
    assert table["x"].dropna().tolist() == shown
    assert table["x"].isna().tolist() == [x is None for x in xs]
    assert set(table["arm"]) == {"nan"}


def test_no_observations_make_an_empty_table():
    table = as_table([])
    assert table.empty
    assert pd.api.types.is_float_dtype(table["value"])


@pytest.mark.parametrize("name", ["observations.csv", "arrays.npz"])
def test_altered_file_is_named(stored, name):
    path = stored[0].results / "observations" / "mixup" / "0-4" / name
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(EvidenceError, match=rf"{name}: truncated or altered"):
        read(*stored)


@pytest.mark.parametrize("name", ["observations.csv", "arrays.npz", "provenance.json"])
def test_missing_file_is_named(stored, name):
    (stored[0].results / "observations" / "mixup" / "0-4" / name).unlink()
    with pytest.raises(EvidenceError, match=name):
        read(*stored)


def test_a_study_without_evidence_is_named(stored):
    with pytest.raises(EvidenceError, match=r"^other: no evidence in .*; run snakemake$"):
        read(stored[0], replace(stored[1], name="other"))


def test_a_metric_measured_with_and_without_coordinates_is_named_once(tmp_path):
    study = synthetic.view("mixup", "P166", "training-recipes", worlds={})
    means = [["mixup", arm, seed, "robust", "", "0.5"] for arm in study.arms for seed in range(5)]
    results = tmp_path / "results"
    results.mkdir()
    synthetic.store(results, study, synthetic.rows(study) + means)
    report.build(Sources.read(results), tmp_path / "site", [study], catalogue.load())
    page = (tmp_path / "site" / "studies" / "mixup.html").read_text()
    named = page[page.index('<th scope="row">Metrics</th>') :].splitlines()[0]
    assert named.endswith(("<td>top1, robust</td></tr>", "<td>robust, top1</td></tr>"))
