"""Jobs of an earlier run are found by their names, ended, and waited for, whichever way the next run is started."""

import os
from pathlib import Path

import pytest
from pipeline_project import Project

from assay.cluster.slurm import ClusterError, end_earlier_jobs, job_prefix, living_jobs

SQUEUE = """#!/bin/sh
cat queue
# A cancelled job stays in the queue for a while.
[ ! -f cancelled ] || { grep -v -F -f cancelled queue > left; mv left queue; }
"""
SCANCEL = '#!/bin/sh\nfor job in "$@"; do echo "$job " >> cancelled; done\n'


@pytest.fixture
def queue(tmp_path, monkeypatch):
    """Programs that keep a queue in a file of the current folder."""
    for name, text in (("squeue", SQUEUE), ("scancel", SCANCEL)):
        (tmp_path / "bin" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr("assay.cluster.slurm.POLL_SECONDS", 0)
    monkeypatch.chdir(tmp_path)
    return lambda *rows: Path("queue").write_text("".join(f"{row}\n" for row in rows))


def test_only_jobs_of_this_folder_are_ended_and_their_end_is_awaited(queue):
    queue("71 assay-abc-1", "72 assay-abc-2", "73 assay-xyz-1", "74 other")
    said = []
    end_earlier_jobs("assay-abc", said.append)
    assert said == ["ending 2 Slurm jobs of an earlier run: 71 72"]
    assert Path("queue").read_text().split() == ["73", "assay-xyz-1", "74", "other"]


def test_names_follow_from_the_folder(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert job_prefix(tmp_path / "a") == job_prefix(tmp_path / "link")
    assert len({job_prefix(tmp_path / name) for name in ("a", "b", "a/ci", "a/laptop")}) == 4


def test_slurm_that_does_not_answer_is_an_error_that_says_what_it_said(queue, tmp_path):
    (tmp_path / "bin/squeue").write_text("#!/bin/sh\necho 'Unable to contact slurm controller' >&2; exit 1\n")
    with pytest.raises(ClusterError, match="squeue: Unable to contact slurm controller"):
        living_jobs("assay-abc")


def test_a_local_run_after_a_killed_one_on_slurm_ends_its_jobs_first(queue, tmp_path, monkeypatch):
    project = Project(tmp_path / "project")
    monkeypatch.chdir(project.root)
    (project.root / "results/ci").mkdir(parents=True)
    (project.root / "results/ci/.slurm").touch()
    queue(f"75 {job_prefix(project.root / 'results/ci')}-1")
    world = next(line.split()[-1] for line in project.run("-n", "-R", "world").splitlines() if ": draw world" in line)
    assert "ending 1 Slurm job of an earlier run: 75" in project.run(f"results/ci/worlds/{world}/card.json")
    assert not Path("queue").read_text()
    assert not (project.root / "results/ci/.slurm").exists()
