"""From run to archive to clone: a clone starts from the archive, trains nothing, and computes what it changed and no more."""

import json
import re
import shutil
import subprocess
import sys

import pytest
from pipeline_project import ROOT, SNAKEMAKE, Project

IGNORED = "/results\n/archive\n/data\n.snakemake\n.dvc/tmp\n.dvc/cache\n__pycache__\n"
# Its own digests, as if the studies had been judged before there were records of trials.
FREEZE = """
import json, pathlib
from assay.language.studies import load_studies
digests = {name: study.judged_digest for name, study in load_studies("small").items()}
pathlib.Path("config/frozen/before.json").write_text(json.dumps({"why": "judged before", "studies": digests}))
"""


class Clone(Project):
    """A project at a scale of two blocks that concludes something; in a clone nothing may import what computes."""

    poison: str = ""

    @classmethod
    def author(cls, root):
        made = cls(root)
        scale = (root / "config/scales/ci.yaml").read_text()
        for old, new in (("first_look: 1", "first_look: 2"), ("conclusive: false", "conclusive: true"), ("_job: 1", "_job: 16")):
            assert old in scale
            scale = scale.replace(old, new)
        made.write("config/scales/small.yaml", scale)
        for name in (".dvc/config", ".gitattributes"):
            made.write(name, (ROOT / name).read_text())
        made.write(".gitignore", IGNORED)
        made.freeze()
        made.git("init", "-q", "-b", "main")
        return made

    def clone(self, root):
        self.git("clone", "-q", str(self.root), str(root))
        cloned = type(self).__new__(type(self))
        cloned.root = root
        return cloned

    def git(self, *arguments: str) -> str:
        identity = ("-c", "user.name=tester", "-c", "user.email=tester@localhost")
        done = self.command_in_full(["git", *identity, *arguments])
        assert done.returncode == 0, done.stderr
        return done.stdout

    def commit(self) -> None:
        self.git("add", "-A")
        self.git("commit", "-qm", "as it is")

    def freeze(self) -> None:
        done = self.python(FREEZE)
        assert done.returncode == 0, done.stderr

    def assay(self, *arguments: str) -> subprocess.CompletedProcess:
        return self.command_in_full([sys.executable, "-m", "assay.cli", *arguments])

    @property
    def environment(self) -> dict[str, str]:
        given = super().environment
        return given | {"PYTHONPATH": f"{self.poison}:{given['PYTHONPATH']}"} if self.poison else given

    def command(self, *arguments: str) -> list[str]:
        given = list(arguments) if "--config" in arguments else [*arguments, "--config"]
        return [str(SNAKEMAKE), "--cores", "2", *given, "scale=small"]

    def page(self, study: str, results: str = "results/small") -> str:
        return (self.root / results / f"report/studies/{study}.html").read_text()


@pytest.fixture(scope="module")
def author(tmp_path_factory) -> Clone:
    """A project that ran, archived what it measured, and committed that."""
    project = Clone.author(tmp_path_factory.mktemp("author"))
    project.commit()
    project.run()
    assert "measure plain/0-0" not in project.run("-n")
    done = project.assay("archive", "--scale", "small")
    assert "archived 4 blocks at scale small" in done.stdout, done.stderr
    project.commit()
    project.run()  # words among all claims that are released now
    return project


@pytest.fixture
def reader(author, tmp_path) -> Clone:
    return author.clone(tmp_path / "clone")


@pytest.fixture
def poisoned(reader, tmp_path) -> Clone:
    """A clone in which nothing that computes can be imported."""
    (tmp_path / "poison").mkdir()
    for name in ("torch", "torchvision", "timm", "captum"):
        (tmp_path / f"poison/{name}.py").write_text("raise SystemExit('imported where nothing is computed')")
    reader.poison = str(tmp_path / "poison")
    return reader


def test_a_dry_run_in_a_clone_pulls_nothing_and_changes_nothing(reader):
    before = {path: path.stat().st_mtime_ns for path in reader.root.rglob("*") if ".snakemake" not in path.parts}
    assert reader.computed() == set()
    assert {path: path.stat().st_mtime_ns for path in reader.root.rglob("*") if ".snakemake" not in path.parts} == before
    assert not (reader.root / "archive").exists()
    assert not (reader.root / "results").exists()


def test_a_clone_reports_all_from_the_archive_and_computes_nothing(author, poisoned):
    said = poisoned.run()
    results, made = poisoned.root / "results/small", author.root / "results/small"
    assert "Traceback" not in said
    for name in ("networks", "observations", "worlds"):
        assert not (results / name).exists()
    for name in ("verdicts.json", "figures/plain.svg", "figures/tuned.svg"):
        assert (results / name).read_bytes() == (made / name).read_bytes()
    assert (results / "report/manifest.json").exists()
    for study in ("plain", "tuned"):
        assert "archived evidence of " in poisoned.page(study)
        assert "fresh: code, data and study are those of the evidence" in poisoned.page(study)
    assert "Drawn and judged from the archived evidence" in (results / "report/index.html").read_text()
    assert "Nothing to be done" in poisoned.run("-n")
    assert [row["status"] for row in json.loads(poisoned.assay("archive", "--status", "--scale", "small", "--json").stdout)] == [
        "fresh",
        "fresh",
    ]


def test_figures_of_the_archive_lie_apart_and_edits_in_it_are_kept_and_refused(author, poisoned):
    poisoned.run("figures", "--config", "evidence=archive")
    results = poisoned.root / "results/archive/small"
    for name in ("verdicts.json", "figures/plain.svg"):
        assert (results / name).read_bytes() == (author.root / "results/small" / name).read_bytes()
    assert {path.suffix for path in (results / "paper").glob("plain*")} == {".pdf", ".svg", ".tex", ".csv", ".html"}
    assert not (poisoned.root / "results/small").exists()
    edited = next((poisoned.root / "archive/small/studies/plain").glob("0-0-*/observations.csv"))
    edited.write_text("mine")
    refused = poisoned.snakemake("--forceall", "--config", "evidence=archive")
    assert refused.returncode != 0
    assert f"{edited.relative_to(poisoned.root)}: edited here, so nothing was changed" in refused.stdout + refused.stderr
    assert edited.read_text() == "mine"


def test_an_edited_plug_makes_archived_evidence_unproven_and_computes_nothing(poisoned):
    poisoned.edit("src/assay/augment/noisy.py", "batch.images + scale", "batch.images - scale")
    assert poisoned.computed() == set()
    poisoned.run()
    assert "<b>Unproven:</b> the code changed since (augment/noisy.py changed)" in poisoned.page("tuned")
    assert "Unproven" not in poisoned.page("plain")
    assert not (poisoned.root / "results/small/networks").exists()
    poisoned.commit()
    refused = poisoned.assay("archive", "--scale", "small")
    assert refused.returncode == 1
    assert refused.stderr == "error: results/small: no study has evidence; run snakemake --config scale=small\n"


def test_a_study_that_was_edited_is_computed_alone(author, reader):
    reader.edit("config/studies/tests/plain.yaml", "label_smoothing: 0.1", "label_smoothing: 0.2")
    unfrozen = reader.snakemake("-n")
    assert unfrozen.returncode != 0
    assert "plain: what it measures or claims changed since it was frozen or judged" in unfrozen.stdout + unfrozen.stderr
    reader.freeze()
    assert "plain.yaml: revised: 2 seeds were measured at scale small under another text" in reader.snakemake("-n").stderr
    path = reader.root / "config/studies/tests/plain.yaml"
    path.write_text(path.read_text() + "revised: [{seen: 2, why: it was too smooth}]\n")
    computed = reader.computed()
    assert {job for job in computed if "measure" in job} == {"measure plain/2-2", "measure plain/3-3"}
    assert not [name for name in computed if "noisy" in name]
    reader.run()
    assert "archived evidence of " in reader.page("tuned")
    assert "archived evidence of " not in reader.page("plain")
    index = (reader.root / "results/small/report/index.html").read_text()
    assert "The evidence of 1 study is archived, that of 1 study was computed here." in index
    verdicts = [json.loads((p.root / "results/small/verdicts.json").read_text())["studies"] for p in (author, reader)]
    assert verdicts[0]["tuned"]["rests_on"] == verdicts[1]["tuned"]["rests_on"]
    assert verdicts[0]["plain"]["rests_on"] != verdicts[1]["plain"]["rests_on"]
    reader.commit()
    before = (reader.root / "archive.jsonl").read_text().splitlines()
    assert reader.assay("archive", "plain", "--scale", "small").returncode == 0
    after = (reader.root / "archive.jsonl").read_text().splitlines()
    assert [line for line in before if "/plain/" not in line] == [line for line in after if "/plain/" not in line]
    keys = {json.loads(line)["key"].rpartition("-")[0] or "retired" for line in after if "/plain/" in line}
    assert keys == {"small/studies/plain/2-2", "small/studies/plain/3-3", "retired"}


def test_withdrawn_evidence_is_computed_again(reader):
    done = reader.assay("archive", "--scale", "small", "--withdraw", "tuned", "--why", "noise was wrong")
    assert "withdrew 2 blocks at scale small" in done.stdout, done.stderr
    assert {"measure tuned/0-0", "measure tuned/1-1"} == {job for job in reader.computed() if "measure" in job}


def test_recomputing_takes_nothing_from_the_archive(reader):
    planned = reader.computed("--config", "evidence=recomputed")
    assert {f"measure {study}/{block}" for study in ("plain", "tuned") for block in ("0-0", "1-1")} < planned


def test_an_object_that_the_store_lost_stops_a_run_before_its_first_job(reader):
    shutil.rmtree(reader.root / "dvcstore/files")
    done = reader.snakemake()
    assert done.returncode != 0
    assert re.search(r"archive: object \w{32} is missing on remote 'store': ", done.stdout + done.stderr)
    assert "Traceback" not in done.stdout + done.stderr
    assert not list((reader.root / "results/small").rglob("*.svg"))


@pytest.mark.parametrize("line", ["{", '{"format": 2}'])
def test_a_damaged_manifest_is_named_before_anything_else(reader, line):
    with open(reader.root / "archive.jsonl", "a") as manifest:
        manifest.write(line)
    done = reader.snakemake("-n")
    assert done.returncode != 0
    assert re.search(r"archive.jsonl:\d+: ", done.stdout + done.stderr)
    assert "Traceback" not in done.stdout + done.stderr


def test_without_an_archive_a_report_of_it_says_that_there_is_none(project):
    project.run("--config", "scale=ci", "evidence=archive")
    page = (project.root / "results/archive/ci/report/studies/plain.html").read_text()
    assert "The archive has no evidence of it." in page
    assert not (project.root / "results/ci").exists()
