"""A study's observations as a table: those of the archive, with what they are."""

import csv
import hashlib
import json

import pytest

import assay
from assay.artifacts.entries import read_entries
from assay.errors import EvidenceError, StudyError
from assay.storage.places import WORK

STUDY = "deepfool"


def test_what_was_archived_is_a_table(monkeypatch, tmp_path):
    table = assay.observations(STUDY)
    (entry,) = [entry for entry in read_entries(WORK).values() if entry.study == STUDY and entry.scale == "laptop"]
    path = WORK / entry.folder / "observations.csv"
    with open(path, newline="", encoding="utf-8") as file:
        stored = list(csv.DictReader(file))
    assert list(table.columns) == ["study", "arm", "seed", "metric", "x", "value"]
    assert [repr(value) for value in table["value"]] == [row["value"] for row in stored]
    assert list(table["arm"]) == [row["arm"] for row in stored]
    assert table["seed"].dtype == int
    provenance = json.loads((WORK / entry.folder / "provenance.json").read_text())
    assert table.attrs["commit"] == provenance["commit"]
    assert table.attrs["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (table.attrs["study"], table.attrs["scale"]) == (STUDY, "laptop")
    assert table.attrs["evidence"] in ("fresh", "unproven", "stale")


def test_a_study_that_was_not_measured_says_how_to():
    with pytest.raises(EvidenceError, match=rf"study '{STUDY}': no evidence at scale gpu: .*; snakemake .*figures/{STUDY}.svg"):
        assay.observations(STUDY, scale="gpu")


def test_a_study_that_does_not_exist_is_named():
    with pytest.raises(StudyError, match="deepfoul"):
        assay.observations("deepfoul")


def test_nothing_else_is_offered():
    with pytest.raises(AttributeError, match="no attribute 'observe'"):
        assay.observe  # noqa: B018
