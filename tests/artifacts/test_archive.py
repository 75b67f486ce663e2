"""The archive: what is promoted and what is refused, how the report compares with it, and a report made from it alone."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from pipeline_project import SNAKEMAKE, Project
from project_tree import Tree
from released import commit, git, ready

from assay.artifacts.archiving import open_archive, promote, read_release
from assay.artifacts.folders import pull
from assay.errors import AssayError
from assay.evidence.tables import Observation, write_evidence
from assay.language.catalogue import load as load_catalogue
from assay.overview.coverage import coverage
from assay.report.reporting import write_report
from assay.storage.files import read_json
from assay.storage.manifest import checked

STUDY_FILES = {"observations.csv", "arrays.npz", "provenance.json"}


@pytest.fixture
def tree(tmp_path) -> Tree:
    return ready(tmp_path / "project")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(tree, scale: str = "laptop") -> str:
    with pytest.raises(AssayError) as caught:
        promote(scale, tree.root)
    assert "\n" not in str(caught.value)
    assert not (tree.root / "archive").exists()
    return str(caught.value)


def test_a_clone_that_ran_nothing_counts_what_is_archived(tree):
    promote("laptop", tree.root)
    shutil.rmtree(tree.results)
    shutil.rmtree(tree.root / "archive")
    assert coverage(load_catalogue(), tree.root)["papers"]["P166"]["working"]
    tree.measure(erm=0.1)
    tree.judge()
    assert coverage(load_catalogue(), tree.root)["papers"]["P166"]["missing"] == ["control failed: erm.top1 > 0.3"]


def test_the_archive_holds_the_evidence_and_nothing_else(tree):
    head = git(tree.root, "rev-parse", "HEAD")
    (tree.results / "networks").mkdir()
    (tree.results / "networks/seed-0.safetensors").write_bytes(b"weights")
    (tree.results / "observations/mixup/model.pkl").write_bytes(b"pickle")
    promote("laptop", tree.root)
    archive = contents(tree.root / "archive")
    card = next(name.split("/")[1] for name in archive if name.startswith("worlds/"))
    wanted = {f"observations/mixup/{name}" for name in STUDY_FILES}
    wanted |= {f"worlds/{card}/card.json", f"worlds/{card}/samples.npz", "verdicts.json", "release.json"}
    assert archive.keys() == wanted
    for name in wanted - {"release.json"}:
        assert archive[name] == (tree.results / name).read_bytes()
    for name in wanted:
        if name.endswith(".npz"):
            dict(np.load(tree.root / "archive" / name, allow_pickle=False))
    release = json.loads(archive["release.json"])
    assert (release["commit"], release["scale"], release["seeds"], release["studies"]) == (head, "laptop", 5, 1)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", release["date"])
    assert subprocess.run(["sha256sum", "-c", "--strict", "--quiet", "archive.sha256"], cwd=tree.root).returncode == 0


def test_a_clone_pulls_what_was_archived_and_a_second_release_replaces_the_first(tree, tmp_path):
    promote("laptop", tree.root)
    commit(tree.root)
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", str(tree.root), str(clone))
    assert pull("archive", root=clone)
    assert contents(clone / "archive") == contents(tree.root / "archive")
    tree.measure(erm=0.5)
    tree.judge()
    promote("laptop", tree.root)
    commit(tree.root)
    git(clone, "pull", "-q")
    assert open_archive("laptop", clone) == read_release(tree.root)
    assert contents(clone / "archive") == contents(tree.root / "archive")
    with pytest.raises(
        AssayError, match="the archive holds evidence at scale 'laptop', not 'gpu'; ask for --config scale=laptop"
    ):
        open_archive("gpu", clone)


def without_a_seed(tree):
    study = tree.compiled()
    rows = [
        Observation("mixup", arm, seed, "top1", None, 0.5) for arm in study.arms for seed in range(5) if (arm, seed) != ("erm", 3)
    ]
    folder = tree.results / "observations/mixup"
    write_evidence(folder, rows, {}, read_json(folder / "provenance.json"))


def with_a_pickle(tree):
    card = next((tree.results / "worlds").iterdir())
    np.savez(card / "samples.npz", images=np.array([{"a": 1}], dtype=object))


REFUSALS = {
    "changed code": (lambda tree: tree.scale(description="other"), "config/scales/laptop.yaml: differs from the commit"),
    "new code": (lambda tree: tree.study("new"), "config/studies/training-recipes/new.yaml: differs from the commit"),
    "no commit": (lambda tree: shutil.rmtree(tree.root / ".git"), "its commit cannot be told"),
    "stale": (lambda tree: tree.measure(code={}), "mixup: evidence is unproven: "),
    "no evidence": (lambda tree: shutil.rmtree(tree.results / "observations"), "provenance.json: does not exist"),
    "altered": (
        lambda tree: (tree.results / "observations/mixup/observations.csv").write_text("x"),
        "observations.csv: truncated or altered",
    ),
    "a seed less": (without_a_seed, "mixup: arm 'erm' lacks seed 3 of 5"),
    "not judged": (lambda tree: tree.measure(erm=0.5), "mixup: no verdict rests on this evidence"),
    "no verdicts": (lambda tree: (tree.results / "verdicts.json").unlink(), "verdicts.json: does not exist"),
    "no card": (lambda tree: shutil.rmtree(tree.results / "worlds"), "card.json: does not exist"),
    "a pickle": (with_a_pickle, "arrays cannot be read (Object arrays cannot be loaded"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_cannot_stand_for_the_commit_is_refused(tree, name):
    spoil, said = REFUSALS[name]
    spoil(tree)
    assert said in refused(tree)


def test_a_scale_that_concludes_nothing_is_refused(tree):
    tree.scale("ci", conclusive=False)
    commit(tree.root)
    assert refused(tree, "ci") == "--scale: nothing can be concluded from 'ci' (allowed: laptop)"


def pages(tree) -> tuple[str, str]:
    write_report([tree.compiled()], tree.results)
    report = tree.results / "report"
    return (report / "studies/mixup.html").read_text(), (report / "index.html").read_text()


def test_the_report_tells_how_well_recomputed_evidence_agrees(tree):
    page, index = pages(tree)
    assert "nothing archived yet" in page
    assert "Nothing archived yet" in index
    release = promote("laptop", tree.root).name
    page, index = pages(tree)
    assert f"identical to the archive of {release}" in page
    assert re.search(rf"Compared with the archive of {release}:\s+1 identical;", index)
    tree.measure(erm=0.6001)
    tree.judge()
    page, index = pages(tree)
    assert re.search(r"within seed noise, compared with .*: 2 of 2 means differ, most <code>erm.top1</code>", page)
    tree.measure(erm=0.5)
    tree.judge()
    page, index = pages(tree)
    assert "Not reproduced:" in page
    assert re.search(r"drifted, compared with .*archived 0\.600, recomputed 0\.500: \d\d\.\d times what seeds explain", page)
    assert re.search(r'1 drifted \(<a href="studies/mixup.html#provenance-title">mixup</a>\);', index)
    (tree.root / "archive/observations/mixup/observations.csv").write_text("altered")
    assert "not compared with the archive" in pages(tree)[0]
    shutil.rmtree(tree.root / "archive")
    checked.cache_clear()
    assert "this commit: archive/release.json: is not there; run: assay pull archive" in pages(tree)[0]


def test_a_report_is_made_from_the_archive_alone_without_torch(tmp_path):
    (tmp_path / "project").mkdir()
    project = Project(tmp_path / "project")
    shutil.rmtree(project.root / "config/studies")
    tree = ready(project.root)
    write_report([tree.compiled()], tree.results)
    release = promote("laptop", project.root)
    commit(project.root)
    git(tmp_path, "clone", "-q", str(project.root), str(tmp_path / "clone"))
    poison = tmp_path / "poison"
    poison.mkdir()
    for name in ("torch", "torchvision", "timm", "captum"):
        (poison / f"{name}.py").write_text("raise SystemExit('imported where nothing is computed')")
    clone = tmp_path / "clone"
    environment = {**os.environ, "PYTHONPATH": f"{poison}:{clone / 'src'}", "PYTHONDONTWRITEBYTECODE": "1"}

    def snakemake(*arguments: str) -> subprocess.CompletedProcess:
        command = [str(SNAKEMAKE), "--cores", "2", *arguments, "--config", "evidence=archive"]
        return subprocess.run(command, cwd=clone, env=environment, capture_output=True, text=True, timeout=1200)

    figures = snakemake("figures")
    assert figures.returncode == 0, figures.stdout + figures.stderr
    results = clone / "results/archive/laptop"
    assert (results / "figures/mixup.svg").read_bytes().startswith(b"<?xml")
    for name in ("observations/mixup/observations.csv", "observations/mixup/arrays.npz", "verdicts.json"):
        assert (results / name).read_bytes() == (tree.results / name).read_bytes()
    whole = snakemake()
    assert whole.returncode == 0, whole.stdout + whole.stderr
    assert "Traceback" not in figures.stderr + whole.stderr
    page = (results / "report/studies/mixup.html").read_text()
    assert f"archived evidence of {release.name}" in page
    assert "fresh: code, data and study are those of the evidence" in page
    assert "Drawn and judged from the archived evidence" in (results / "report/index.html").read_text()
    assert "to run" in whole.stderr
    assert "to run" not in snakemake().stderr
    (clone / "src/assay/augment/mixup.py").write_text((clone / "src/assay/augment/mixup.py").read_text() + "\nX = 1\n")
    (results / "report/manifest.json").unlink()
    assert snakemake().returncode == 0
    assert "stale: augment/mixup.py changed" in (results / "report/studies/mixup.html").read_text()
    assert not (clone / "results/laptop").exists()
    (clone / "archive/verdicts.json").write_text("mine")
    edited = snakemake("--forceall")
    assert edited.returncode != 0
    assert "archive/verdicts.json: edited here, so nothing was changed" in edited.stdout + edited.stderr


def test_without_an_archive_asking_for_it_says_what_to_do(tmp_path):
    project = Project(tmp_path)
    done = subprocess.run(
        [str(SNAKEMAKE), "-n", "--config", "evidence=archive"],
        cwd=project.root,
        env=project.environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert "evidence: archive: nothing is archived yet (no archive.sha256); run: make archive" in done.stdout + done.stderr
