"""`assay prove` in a copy of the project with one small study: what it says, records and leaves behind."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from assay.pipeline.proving import TOO_OLD
from assay.pipeline.worktrees import full_name, worktree

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("src", "config", "data", "data.dvc", "data.sha256")
STUDY = """
paper: P166
question: Does it help?
base: {world: {shapes: {train: 64, test: 32}}, model: linear}
arms: {erm: {}, mixup: {augment: mixup}}
protocol: classify
controls: [erm.top1 > 0.3]
expect: [mixup.top1 > erm.top1]
"""


class Project:
    """The copy, a repository of its own."""

    def __init__(self, root: Path):
        self.root = root
        for part in PARTS:
            source = ROOT / part
            if source.is_dir():
                shutil.copytree(
                    source, root / part, ignore=shutil.ignore_patterns("__pycache__", "studies", "frozen", "canaries")
                )
            else:
                shutil.copy(source, root / part)
        (root / "config/studies/training-recipes").mkdir(parents=True)
        (root / "config/studies/training-recipes/small.yaml").write_text(STUDY)
        (root / ".gitignore").write_text("/data/\n/results/\n__pycache__/\n")
        self.git("init", "--quiet")
        self.commit()

    def git(self, *arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=self.root, capture_output=True, text=True, check=True).stdout.strip()

    def commit(self) -> str:
        self.git("add", "--all")
        self.git("-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "--quiet", "--allow-empty", "-m", "one")
        return self.git("rev-parse", "HEAD")

    def edit(self, file: str, old: str, new: str) -> None:
        path = self.root / "src" / "assay" / file
        text = path.read_text()
        assert text.count(old) == 1
        path.write_text(text.replace(old, new))

    def python(self, *arguments: str, **more) -> subprocess.Popen:
        environment = {**os.environ, "PYTHONPATH": str(self.root / "src"), "TMPDIR": str(self.root.parent / "tmp")}
        Path(environment["TMPDIR"]).mkdir(exist_ok=True)
        command = [sys.executable, *arguments]
        return subprocess.Popen(command, cwd=self.root, env=environment, stdout=-1, stderr=-1, text=True, **more)

    def prove(self, *arguments: str) -> tuple[int, dict]:
        process = self.python("-m", "assay.cli", "prove", "--json", *arguments)
        out, err = process.communicate()
        assert out, err
        return process.returncode, json.loads(out)

    def evidence(self, commit: str | None, **changes) -> None:
        """Evidence at the scale ci, as if measured with the code that lies here."""
        script = "import json; from assay.pipeline.canary_job import describe; print(json.dumps(describe(['ci'])['ci']['small']))"
        found = json.loads(self.python("-c", script).communicate()[0])
        provenance = {"study_sha256": found["digest"], "code": found["code"] | changes, "commit": commit}
        folder = self.root / "results/ci/observations/small/0-0"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "provenance.json").write_text(json.dumps(provenance))

    @property
    def state(self) -> dict:
        """All files that proving must leave alone, with their bytes, and the folders that git knows."""
        files = {str(path): path.read_bytes() for path in self.root.glob("results/**/*") if path.is_file()}
        return files | {"worktrees": self.git("worktree", "list"), "left": sorted((self.root.parent / "tmp").glob("*"))}


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path / "project")


def test_planted_changes_are_seen_and_harmless_ones_proven(project):
    """In the core: one that all canaries see, one that only a training stopped on its way sees, and one that changes nothing."""
    first = project.commit()
    project.evidence(first)
    before = project.state
    block = "results/ci/observations/small/0-0"

    project.edit("measuring/evaluate.py", "return batched(network, images,", "return batched(network, 0.5 * images,")
    rc, said = project.prove("--jobs", "2")
    [outcome] = said["commits"]
    assert outcome["failure"] == ""
    assert (rc, outcome["commit"], outcome["modules"]) == (0, first, ["assay.measuring.evaluate"])
    assert outcome["differing"].keys() == {"small"}
    assert said["evidence"][block]["word"] == "stale"
    assert "canary small came out otherwise" in said["evidence"][block]["reasons"][0]
    refuted = (project.root / "proofs.txt").read_text()
    assert project.prove() == (0, {"commits": [], "evidence": {}, "core_seconds": pytest.approx(0, abs=2)})

    project.git("checkout", "--quiet", "src")
    project.edit("training/run.py", "            optimizer.load_state_dict(saved)\n", "            pass\n")
    project.edit("measuring/evaluate.py", "return batched(network, images,", "return batched(network, 1 * images,")
    rc, said = project.prove("--jobs", "2")
    [outcome] = said["commits"]
    assert outcome["failure"] == ""
    assert (rc, outcome["differing"].keys(), said["evidence"][block]["word"]) == (0, {"small"}, "stale")

    project.git("checkout", "--quiet", "src/assay/training")
    rc, said = project.prove("--jobs", "1")
    [outcome] = said["commits"]
    assert (rc, outcome["differing"], outcome["untried"], outcome["recorded"]) == (0, {}, {}, True)
    assert said["evidence"][block] == {"word": "fresh", "reasons": []}
    assert set(refuted.splitlines()) < set((project.root / "proofs.txt").read_text().splitlines())
    assert project.state == before


HARMLESS = (
    ("data/batch.py", "own=values == value: tensor[own]", "own=value == values: tensor[own]"),
    (
        "training/run.py",
        "forgets = any(map(self.is_at, self.recipe.resets))",
        "forgets = any(map(self.is_at, [*self.recipe.resets]))",
    ),
    (
        "training/run.py",
        "for share in filter(self.is_at, self.recipe.snapshots):",
        "for share in filter(self.is_at, [*self.recipe.snapshots]):",
    ),
    ("training/run.py", "len(parts) != self.batches or", "self.batches != len(parts) or"),
    ("training/together.py", "any(map(self.is_at, self.recipe.snapshots))", "any(map(self.is_at, [*self.recipe.snapshots]))"),
    ("samplers/weighted.py", "sum(epoch.sizes), replacement=True", "sum([*epoch.sizes]), replacement=True"),
)


def test_changes_of_hooks_that_no_study_uses_are_proven(project):
    """Evidence of a study without hooks, whose core modules changed in them, against a commit that has no canaries for them.
    What a wrong hook computes is seen by the same canaries (test_canaries.py)."""
    project.evidence(project.commit())
    shutil.copytree(ROOT / "config/canaries", project.root / "config/canaries")
    for edit in HARMLESS:
        project.edit(*edit)
    rc, said = project.prove("--jobs", "2")
    [outcome] = said["commits"]
    assert (rc, outcome["failure"], outcome["differing"], outcome["untried"], outcome["recorded"]) == (0, "", {}, {}, True)
    assert set(outcome["canaries"]) == {"small", "hooks"}
    assert said["evidence"]["results/ci/observations/small/0-0"] == {"word": "fresh", "reasons": []}


def test_a_commit_that_is_not_in_the_clone_is_one_line(project):
    project.evidence("0" * 40, **{"assay.training.run": "0" * 16})
    before = project.state
    process = project.python("-m", "assay.cli", "prove")
    out, _ = process.communicate()
    assert process.returncode == 1
    assert out.splitlines()[0] == (
        "commit 000000000000 is not in this clone, so its code cannot be run; fetch the whole history, or recheck"
    )
    assert not (project.root / "proofs.txt").exists()
    assert project.state == before


def test_evidence_without_a_commit_or_of_changes_that_were_not_committed_is_one_line(project):
    project.evidence(None, **{"assay.training.run": "0" * 16})
    rc, said = project.prove()
    assert (rc, said["commits"][0]["failure"][:29]) == (1, "the evidence names no commit,")
    head = project.commit()
    project.evidence(head, **{"assay.training.run": "0" * 16})
    rc, said = project.prove()
    assert rc == 1
    assert said["commits"][0]["failure"] == (
        f"results/ci/observations/small/0-0: not made with the code of its commit {head[:12]}; recheck it"
    )


def test_code_from_before_canaries_could_be_run_is_one_line(project):
    project.git("rm", "--quiet", "--cached", "src/assay/pipeline/canary_job.py")
    project.git("-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "--quiet", "-m", "old")
    old = project.git("rev-parse", "HEAD")
    before = project.state
    rc, said = project.prove("--since", old[:7])
    assert (rc, said["commits"][0]["failure"]) == (1, f"commit {old[:12]}: {TOO_OLD}")
    assert project.state == before


def test_no_change_that_computes_needs_no_run(project):
    project.edit("training/run.py", "lower the optimizer's lr", "take a lower lr")
    rc, said = project.prove("--since", "HEAD")
    assert (rc, said["commits"][0]["modules"], said["commits"][0]["canaries"]) == (0, [], [])
    assert not (project.root / "proofs.txt").exists()


def test_an_unknown_study_is_one_line(project):
    process = project.python("-m", "assay.cli", "prove", "smal")
    _, err = process.communicate()
    assert (process.returncode, err) == (1, "error: unknown study 'smal'; did you mean 'small'? (allowed: small)\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_kill_leaves_no_folder_and_no_process(project, number):
    before = project.state
    project.edit("measuring/evaluate.py", "return batched(network, images,", "return batched(network, 0.5 * images,")
    process = project.python("-m", "assay.cli", "prove", "--since", "HEAD", "--jobs", "1", start_new_session=True)
    waited = time.monotonic() + 120
    while not list((project.root.parent / "tmp").glob("*/task-2/task.json")):
        assert process.poll() is None
        assert time.monotonic() < waited
        time.sleep(0.05)
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode != 0
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
    assert project.state == before


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_worktree_goes_whatever_happens(project, error):
    before, trees = project.state, []

    def broken() -> None:
        with worktree("HEAD", project.root) as tree:
            trees.append((tree, (tree / "src/assay/__init__.py").exists()))
            raise error

    with pytest.raises(error):
        broken()
    [(tree, existed)] = trees
    assert (existed, tree.exists(), project.state) == (True, False, before)


def test_names_of_commits(project):
    head = project.commit()
    assert full_name("HEAD", project.root) == full_name(head[:9], project.root) == head
    assert full_name("nothing", project.root) is None
    assert full_name("--help", project.root) is None
    assert full_name("HEAD", Path("/")) is None
