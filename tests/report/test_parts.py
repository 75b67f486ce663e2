"""Only what changed is built anew: whatever a page shows is part of its digest, and a damaged page is made again."""

import hashlib
import json
import shutil
from dataclasses import fields, replace
from pathlib import Path

import pytest
import synthetic

from assay import report
from assay.evidence.agreement import not_compared
from assay.language.frozen import Claim
from assay.language.published import Published, PublishedNumber
from assay.overview.elsewhere import Elsewhere
from assay.pipeline.sources import Sources
from assay.report.figure import ASSETS
from assay.report.page import StudyView
from assay.report.parts import machinery

OVERVIEWS = {"index", "across", "effects", "lesson", "worlds"}
CHANGED = {
    str: "changed",
    int: 5,
    "revised": ({"seen": 5, "why": "changed", "root": None},),
    "retired": ({"seen": 5, "word": "open", "claims": {"changed > 0": "open"}},),
    "trial": (Claim(text="changed > 0", mean=0.1, deviation=0.2, margin=0.0),),
    "elsewhere": (Elsewhere("real", "Fashion-MNIST", "invalid", "1 of 1 controls failed", {}, ("changed > 0",)),),
    dict: {"changed": {"a": 1}},
    tuple: ("changed",),
    "figure": {"lines": {}},
    "introduces": (),
    "agreement": not_compared("changed"),
    "published": (Published(PublishedNumber(metric="treated.top1", value=0.5, source="table 1", setting="large"), True),),
}


@pytest.fixture
def built(results, site, studies, papers, tmp_path):
    """A results folder of one's own with the report made from it; paths in error messages are those of the copy."""
    shutil.copytree(results, tmp_path / "laptop")
    shutil.copytree(site, tmp_path / "out")
    report.build(Sources.read(tmp_path / "laptop"), tmp_path / "out", studies, papers, synthetic.METHODS)
    return tmp_path / "laptop", tmp_path / "out", studies


def snapshot(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_nothing_is_built_twice(built, papers):
    results, out, studies = built
    assert report.build(Sources.read(results), out, studies, papers, synthetic.METHODS) == []


def test_new_evidence_rebuilds_its_study_and_the_index(built, papers):
    results, out, studies = built
    folder = results / "observations" / "mixup" / "0-4"
    table = (folder / "observations.csv").read_text().replace("0.6", "0.7", 1)
    (folder / "observations.csv").write_text(table)
    provenance = json.loads((folder / "provenance.json").read_text())
    provenance["sha256"] = hashlib.sha256(table.encode()).hexdigest()
    (folder / "provenance.json").write_text(json.dumps(provenance))
    assert report.build(Sources.read(results), out, studies, papers, synthetic.METHODS) == [
        "studies/mixup",
        "across",
        "lesson",
        "index",
    ]
    assert (out / "studies" / "mixup.csv").read_text() == table


def test_another_verdict_figure_or_world_rebuilds_the_pages_that_show_it(built, papers):
    results, out, studies = built
    verdicts = json.loads((results / "verdicts.json").read_text())
    verdicts["studies"]["odin"]["count"] = "another"
    (results / "verdicts.json").write_text(json.dumps(verdicts))
    assert report.build(Sources.read(results), out, studies, papers, synthetic.METHODS) == [
        "studies/odin",
        "across",
        "effects",
        "judge",
        "index",
    ]
    drawn = results / "figures" / "fgsm.svg"
    drawn.write_text(drawn.read_text() + "<!-- again -->")
    assert report.build(Sources.read(results), out, studies, papers, synthetic.METHODS) == ["studies/fgsm"]
    card = results / "worlds" / "hostile-0a1b2c3d" / "card.json"
    card.write_text(card.read_text().replace("1536", "1537"))
    assert report.build(Sources.read(results), out, studies, papers, synthetic.METHODS) == [
        "studies/hostile",
        "worlds",
        "worlds/hostile-0a1b2c3d",
    ]


def test_whatever_a_study_says_counts(built, papers):
    """One field after the other is changed, each on top of those before."""
    results, out, studies = built
    study = next(study for study in studies if study.name == "mixup")
    others = [study for study in studies if study.name != "mixup"]
    for name in [field.name for field in fields(StudyView) if field.name not in ("name", "paper")]:
        study = replace(study, **{name: CHANGED[name if name in CHANGED else type(getattr(study, name))]})
        written = set(report.build(Sources.read(results), out, [*others, study], papers, synthetic.METHODS))
        assert {"studies/mixup", "index"} <= written <= {"studies/mixup", *OVERVIEWS}, name


def test_a_new_neighbour_in_the_family_changes_the_pages_beside_it(built, papers):
    results, out, studies = built
    neighbour = synthetic.view("zoom", "P166", "training-recipes")
    written = set(report.build(Sources.read(results), out, [*studies, neighbour], papers, synthetic.METHODS))
    assert written == {"studies/mixup", "studies/zoom", "index", "across", "worlds"}


def test_a_damaged_or_lost_page_is_made_again(built, papers):
    results, out, studies = built
    before = snapshot(out)
    page = out / "studies" / "mixup.html"
    page.write_bytes(page.read_bytes()[:100])
    (out / "figures" / "odin.svg").unlink()
    assert set(report.build(Sources.read(results), out, studies, papers, synthetic.METHODS)) == {"studies/mixup", "studies/odin"}
    assert snapshot(out) == before


@pytest.mark.parametrize("notes", ["", '{"index": ', "[]", '{"index": {"made_from": 3}}', None])
def test_notes_that_cannot_be_read_only_cost_time(built, papers, notes):
    results, out, studies = built
    before = snapshot(out)
    if notes is None:
        (out / "pages.json").unlink()
    else:
        (out / "pages.json").write_text(notes)
    assert len(report.build(Sources.read(results), out, studies, papers, synthetic.METHODS)) == len(
        json.loads(before["pages.json"])
    )
    assert snapshot(out) == before


def test_templates_styles_and_code_count(tmp_path):
    before = machinery("assay.report.words", ASSETS)
    assert machinery("assay.report.words", ASSETS) == before
    assert machinery("assay.storage.files", ASSETS) != before
    sheets = tmp_path / "report"
    (sheets / "templates").mkdir(parents=True)
    template = sheets / "templates" / "a.html"
    template.write_text("one")
    first = machinery("assay.report.words", sheets)
    template.write_text("two")
    assert machinery("assay.report.words", sheets) != first
