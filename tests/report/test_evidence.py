"""Stored evidence: read back as written, and refused in one line when it was cut, altered or pickled."""

import numpy as np
import pytest
import synthetic

from assay import catalogue, report
from assay.errors import EvidenceError
from assay.report.evidence import read_arrays, read_observations


@pytest.fixture
def stored(tmp_path):
    study = synthetic.view("mixup", "P166", "training-recipes")
    synthetic.store(tmp_path, study, synthetic.rows(study))
    return tmp_path, study


def read(results, study):
    return report.read_page(results, study, catalogue.load()[study.paper])


def test_observations_come_back_exactly(stored):
    page = read(*stored)
    written = synthetic.rows(stored[1])
    assert [repr(value) for value in page.observations["value"]] == [row[5] for row in written]
    assert page.observations["x"].isna().sum() == sum(row[4] == "" for row in written)
    assert page.arrays["erm/map"].shape == (2, 8, 8)
    assert page.provenance["seeds"] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(("xs", "kind"), [(["0", "0.5", ""], "f"), (["conv1", "2", ""], "O")])
def test_coordinates_are_numbers_or_text(tmp_path, xs, kind):
    path = tmp_path / "observations.csv"
    path.write_text("study,arm,seed,metric,x,value\n" + "".join(f"s,nan,0,NA,{x},1.0\n" for x in xs))
    table = read_observations(path)
    assert table["x"].dtype.kind == kind
    assert table["x"].isna().tolist() == [False, False, True]
    assert set(table["arm"]) == {"nan"}


@pytest.mark.parametrize("name", ["observations.csv", "arrays.npz"])
def test_altered_file_is_named(stored, name):
    path = stored[0] / "observations" / "mixup" / name
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(EvidenceError, match=rf"{name}: sha256 is .*cut or altered"):
        read(*stored)


@pytest.mark.parametrize("name", ["observations.csv", "arrays.npz", "provenance.json"])
def test_missing_file_is_named(stored, name):
    (stored[0] / "observations" / "mixup" / name).unlink()
    with pytest.raises(EvidenceError, match=name):
        read(*stored)


@pytest.mark.parametrize(
    "text",
    ["study,arm\n", "study,arm,seed,metric,x,value\ns,a,zero,m,,1.0\n", "study,arm,seed,metric,x,value\ns,a,0,m,,one\n", ""],
)
def test_malformed_table_is_one_line(tmp_path, text):
    path = tmp_path / "observations.csv"
    path.write_text(text)
    with pytest.raises(EvidenceError, match=r"observations\.csv: ") as caught:
        read_observations(path)
    assert "\n" not in str(caught.value)


def test_pickles_are_refused(tmp_path):
    np.savez(tmp_path / "arrays.npz", evil=np.array([{"a": 1}], dtype=object))
    with pytest.raises(EvidenceError, match="arrays cannot be read"):
        read_arrays(tmp_path / "arrays.npz")
