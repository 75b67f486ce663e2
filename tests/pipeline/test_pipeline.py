"""The whole pipeline at ci scale, and what reruns when something changes."""

import json
import re
import zipfile
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

NOTHING = "Nothing to be done"


def test_one_command_leads_from_studies_to_a_report(finished):
    results = finished.root / "results/ci"
    verdicts = json.loads((results / "verdicts.json").read_text())
    assert set(verdicts["studies"]) == {"plain", "tuned"}
    assert not verdicts["failed"]
    assert "plain" in (results / "report/index.html").read_text()
    assert (results / "figures/plain.svg").read_text().lstrip().startswith("<?xml")
    assert list((results / "benchmarks").rglob("*.tsv"))
    assert list((results / "logs/train").glob("*.log"))


def test_equal_recipes_are_trained_once_whoever_asks(finished):
    # plain.plain and tuned.first are the same network: four recipes in all.
    folders = sorted(path.name for path in (finished.root / "results/ci/networks").iterdir() if path.is_dir())
    assert len(folders) == 4
    assert [name.rsplit("-", 1)[0] for name in folders] == [
        "linear-shapes",
        "linear-shapes",
        "linear-shapes",
        "linear-shapes-noisy-tuned",
    ]


def test_evidence_holds_the_training_losses_of_its_networks(finished):
    results = finished.root / "results/ci"
    with np.load(results / "observations/tuned/0-0/arrays.npz") as arrays:
        kept = {name: arrays[name] for name in arrays if name.endswith("/training_loss")}
    assert set(kept) == {"adam/training_loss", "tuned/training_loss"}
    (weights,) = (results / "networks").glob("linear-shapes-noisy-tuned-*/seed-0.safetensors")
    assert np.array_equal(kept["tuned/training_loss"], load_file(weights)["records.loss"][None])


def test_nothing_changed_nothing_runs(finished):
    assert NOTHING in finished.run("-n")


def test_touching_a_file_reruns_nothing(finished):
    (finished.root / "src/assay/augment/noisy.py").touch()
    (finished.root / "config/studies/tests/plain.yaml").touch()
    assert NOTHING in finished.run("-n")


def test_editing_a_plug_reruns_only_the_jobs_that_use_it(finished):
    path = "src/assay/augment/noisy.py"
    finished.edit(path, "batch.images + scale", "batch.images - scale")
    trained = finished.planned("train")
    measured = finished.planned("measure")
    finished.edit(path, "batch.images - scale", "batch.images + scale")
    assert len(trained) == 1
    assert next(iter(trained)).startswith("linear-shapes-noisy-tuned-")
    assert measured == {"tuned"}


def test_editing_a_module_that_a_plug_imports_reruns_its_jobs(finished):
    path = "src/assay/augment/_amount.py"
    finished.edit(path, "0.05", "0.06")
    trained = finished.planned("train")
    finished.edit(path, "0.06", "0.05")
    assert {name.rsplit("-", 1)[0] for name in trained} == {"linear-shapes-noisy-tuned"}


def test_editing_comments_reruns_nothing_and_docstrings_the_report_that_shows_them(finished):
    path = "src/assay/augment/noisy.py"
    finished.edit(path, '"""Adds Gaussian noise."""', '"""Adds Gaussian noise."""  # of variance AMOUNT squared')
    commented = finished.run("-n")
    finished.edit(path, '"""Adds Gaussian noise."""  # of variance AMOUNT squared', '"""Adds noise."""')
    described = finished.run("-n")
    finished.edit(path, '"""Adds noise."""', '"""Adds Gaussian noise."""')
    assert NOTHING in commented
    assert "write the report" in described
    assert not re.search(r"^Job \d+: (train|measure|judge|draw) ", described, re.MULTILINE)


def test_editing_the_trainer_leaves_evidence_unproven_and_retrains_everything_only_if_asked_to(finished):
    path = "src/assay/training/run.py"
    finished.edit(path, '"cuda": 50', '"cuda": 51')
    dry = finished.run("-n")
    trained = finished.planned("train", "--config", "scale=ci", "evidence=recomputed")
    finished.edit(path, '"cuda": 51', '"cuda": 50')
    assert set(re.findall(r"^Job \d+: (\w+) ", dry, re.MULTILINE)) == {"judge", "write"}
    assert len(trained) == 4


def test_new_prose_in_a_study_trains_and_measures_nothing(finished):
    path = "config/studies/tests/plain.yaml"
    finished.edit(path, "Does it run?", "Does it still run?")
    dry = finished.run("-n")
    finished.edit(path, "Does it still run?", "Does it run?")
    assert "train " not in dry
    assert "measure " not in dry
    assert "write the report" in dry


def test_a_changed_expectation_is_judged_again_without_measuring(finished):
    path = "config/studies/tests/plain.yaml"
    finished.edit(path, "smooth.accuracy > plain.accuracy", "smooth.accuracy < plain.accuracy")
    dry = finished.run("-n")
    finished.edit(path, "smooth.accuracy < plain.accuracy", "smooth.accuracy > plain.accuracy")
    assert "judge 2 studies" in dry
    assert "measure " not in dry


def test_a_changed_protocol_parameter_measures_again_without_training(finished):
    path = "config/studies/tests/plain.yaml"
    finished.edit(path, "protocol: probe", "protocol: {probe: {shift: 0.5}}")
    trained, measured = finished.planned("train"), finished.planned("measure")
    finished.edit(path, "protocol: {probe: {shift: 0.5}}", "protocol: probe")
    assert trained == set()
    assert measured == {"plain"}


def test_two_runs_from_nothing_give_the_same_bytes(finished, project):
    project.run()
    assert project.results() == finished.results()


def test_stale_evidence_says_what_changed(finished):
    path = "src/assay/augment/noisy.py"
    finished.edit(path, "batch.images + scale", "batch.images - scale")
    code = (
        "from assay.language.studies import load_studies; from assay.evidence.freshness import freshness;"
        "from assay.storage.files import read_json;"
        "studies = load_studies('ci');"
        "paths = {n: f'results/ci/observations/{n}/0-0/provenance.json' for n in studies};"
        "print([list(freshness(s, read_json(paths[n])).reasons) for n, s in studies.items()])"
    )
    said = finished.python(code).stdout
    finished.edit(path, "batch.images - scale", "batch.images + scale")
    assert said.strip() == "[[], ['augment/noisy.py changed']]"


def test_snakemakes_own_report_has_every_figure_with_its_caption(finished, tmp_path):
    finished.run("--report", str(tmp_path / "report.zip"))
    with zipfile.ZipFile(tmp_path / "report.zip") as archive:
        names = {Path(name).name for name in archive.namelist()}
        page = archive.read("report/report.html").decode()
    studies = {path.stem for path in (finished.root / "results/ci/figures").glob("*.svg")}
    assert {"plain", "tuned"} <= studies
    assert {f"{study}.svg" for study in studies} <= names
    assert all(f"Observations of the study {study}:" in page for study in studies)


def test_figures_for_papers_are_made_once(finished):
    finished.run("figures")
    kinds = {path.suffix for path in (finished.root / "results/ci/paper").glob("plain*")}
    assert kinds == {".pdf", ".svg", ".tex", ".csv", ".html"}
    assert "Nothing to be done" in finished.run("-n", "figures")


def test_snakemakes_own_report_has_tables_and_is_labelled_with_verdicts(finished, tmp_path):
    finished.run("figures")
    finished.run("figures", "--report", str(tmp_path / "report.zip"))
    with zipfile.ZipFile(tmp_path / "report.zip") as archive:
        page = archive.read("report/report.html").decode()
        (table,) = [archive.read(name).decode() for name in archive.namelist() if name.endswith("plain-tables.html")]
    verdict = json.loads((finished.root / "results/ci/verdicts.json").read_text())["studies"]["plain"]["word"]
    (labels,) = re.findall(r'"labels": (\{[^}]*"study": "plain"[^}]*"shows": "tables"[^}]*\})', page)
    assert json.loads(labels)["verdict"] == verdict
    assert "<h2>means</h2>" in table
    assert "<h2>verdict</h2>" in table
