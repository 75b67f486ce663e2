"""`assay doctor`: all well on a real cluster, and every way in which a site can be wrong is named, with what to do."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cluster_fixtures import SITE

from assay.cluster.doctor import examine, minutes

PARTITION = "PartitionName={name} MaxTime={time} State=UP TotalCPUs=8 TotalNodes=2 TRES=cpu=8,mem=12000M,node=2,gres/gpu=4"
NOW = "'$(date +%s)'"
SAID = """echo '{{"sees": {sees}, "locks": "{locks}", "clock": {clock}}}'"""
FAKES = {
    "sinfo": 'case "$*" in *%G*) echo "cpu (null)"; echo "gpu gpu:fake:2(S:0)";; *) echo "one idle"; echo "two mix";; esac',
    "squeue": "true",
    "sbatch": "true",
    "scancel": "true",
    "srun": SAID.format(sees="true", locks="held", clock=NOW),
    "sacct": "true",
    "sacctmgr": "echo lab",
    "scontrol": f"""case "$*" in
*config*) echo 'MinJobAge               = 300 sec';;
*) echo '{PARTITION.format(name="cpu", time="1-00:00:00")}'; echo '{PARTITION.format(name="gpu", time="UNLIMITED")}';;
esac""",
}
GOOD = {"site": SITE.replace("6000", "5900")}


def problems(root: Path) -> dict[str, str]:
    """What the doctor finds wrong, with what it says to do."""
    return {finding.what: f"{finding.seen}: {finding.remedy}" for finding in examine(root) if not finding.ok}


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder and a site of programs that answer as a healthy cluster would; `change` replaces answers."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (tmp_path / "slurm").mkdir()
    (tmp_path / "config").mkdir()
    (tmp_path / "slurm/site.yaml").write_text(GOOD["site"])

    def change(**answers: str) -> Path:
        for name, answer in answers.items():
            (programs / name).write_text(f"#!/bin/sh\n{answer}\n")
            (programs / name).chmod(0o755)
        return tmp_path

    change(**FAKES)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}/usr/bin{os.pathsep}/bin")
    return change


def edit(root: Path, old: str, new: str) -> Path:
    path = root / "slurm/site.yaml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    return root


def test_a_healthy_site_has_no_problem(site):
    assert problems(site()) == {}


def test_a_home_that_takes_no_cache_is_named_with_what_to_set(site, tmp_path, monkeypatch):
    (tmp_path / "home").write_text("")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    remedy = "it cannot be written: export XDG_CACHE_HOME=/scratch/me/cache, a folder that nodes see too"
    assert problems(site()) == {"caches": f"in {tmp_path}/home/.cache: {remedy}"}
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/caches")  # where root has the right to write, and cannot
    assert problems(site()) == {"caches": f"in /proc/caches: {remedy}"}
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "not" / "yet"))
    assert problems(site()) == {}


def test_without_slurm_only_this_machine_is_checked(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    found = list(examine(tmp_path))
    assert found[-1].what == "Slurm"
    assert "only what is local was checked" in found[-1].seen
    assert "locks here" in {finding.what for finding in found}


@pytest.mark.parametrize(
    ("answers", "what", "said"),
    [
        ({"sinfo": "echo 'Unable to contact slurm controller' >&2; exit 1"}, "Slurm", "Unable to contact slurm controller"),
        ({"sinfo": "echo 'one down*'; echo 'two drain'"}, "Slurm", "0 of 2 nodes are up"),
        ({"sacctmgr": "echo other"}, "account", "unknown account 'lab'"),
        ({"scontrol": FAKES["scontrol"].replace("300 sec", "60 sec")}, "memory of squeue", "slurm-status-command: sacct"),
        (
            {"scontrol": FAKES["scontrol"].replace("1-00", "0-01")},
            "partition cpu",
            "max_runtime 1440 is above the partition's 60",
        ),
        ({"scontrol": FAKES["scontrol"].replace("=cpu M", "=short M")}, "partition cpu", "unknown partition 'cpu'"),
        ({"scontrol": FAKES["scontrol"].replace("State=UP", "State=DOWN")}, "partition gpu", "is DOWN"),
        ({"sinfo": FAKES["sinfo"].replace("fake:2", "fake:1")}, "partition gpu", "max_gpu 2, but its nodes declare 1"),
        ({"sinfo": FAKES["sinfo"].replace("fake", "a100")}, "partition gpu", "unknown GPU model 'fake'"),
        ({"srun": "echo 'Unable to allocate resources' >&2; exit 1"}, "a job", "Unable to allocate resources"),
        (
            {"srun": SAID.format(sees="false", locks="held", clock=NOW)},
            "shared files",
            "a file system that nodes share",
        ),
        ({"srun": SAID.format(sees="true", locks="free", clock=NOW)}, "locks between machines", "NFS 4"),
        ({"srun": SAID.format(sees="true", locks="held", clock="9e9")}, "clocks", "synchronise clocks"),
    ],
)
def test_what_is_wrong_with_a_site_is_named_with_what_to_do(site, answers, what, said):
    found = problems(site(**answers))
    assert said in found[what]


@pytest.mark.parametrize(
    ("old", "new", "what", "said"),
    [
        ("account: lab", "acount: lab", "site", "unknown key 'acount'; did you mean 'account'?"),
        ("max_threads: 4", "max_threads: 5", "partition cpu", "above a node's 4 cores"),
        ("max_mem_mb: 5900", "max_mem_mb: 6001", "partition cpu", "above a node's 6000 MB"),
        ("gpu_model: null", "gpu_model: a100", "GPU model", "unknown GPU model 'a100'"),
        ("max_runtime: 1440", "max_runtime: soon", "site", "max_runtime"),
    ],
)
def test_a_site_file_that_does_not_fit_the_site_is_a_problem(site, old, new, what, said):
    assert said in problems(edit(site(), old, new))[what]


def test_a_file_from_the_future_is_a_problem(site):
    root = site()
    (root / "config/late.yaml").touch()
    os.utime(root / "config/late.yaml", (time.time() + 3600, time.time() + 3600))
    assert "config/late.yaml" in problems(root)["file times"]


def test_a_full_disk_is_a_problem(site, monkeypatch):
    monkeypatch.setattr("assay.cluster.doctor.FREE_GB", 1e9)
    assert "ln -s" in problems(site())["space"]


@pytest.mark.parametrize(
    ("text", "expected"), [("00:30:00", 30), ("2-01:00:30", 2940.5), ("UNLIMITED", float("inf")), ("INFINITE", float("inf"))]
)
def test_times_as_slurm_writes_them(text, expected):
    assert minutes(text) == expected


def test_a_real_cluster_is_found_healthy(on_cluster, tmp_path):
    (tmp_path / "slurm").mkdir()
    (tmp_path / "slurm/site.yaml").write_text(SITE)
    found = list(examine(tmp_path))
    assert [finding for finding in found if not finding.ok] == []
    assert {"accounting", "account", "partition gpu", "a job", "shared files", "locks between machines", "clocks"} <= {
        finding.what for finding in found
    }


def test_a_real_cluster_shows_what_is_wrong(on_cluster, tmp_path):
    (tmp_path / "slurm").mkdir()
    (tmp_path / "slurm/site.yaml").write_text(SITE.replace("max_runtime: 1440", "max_runtime: 1441").replace("lab", "nobody"))
    found = problems(tmp_path)
    assert set(found) == {"account", "partition cpu", "partition gpu", "a job"}


def test_the_command_exits_with_1_where_something_is_wrong_and_prints_json(tmp_path):
    (tmp_path / "sinfo").write_text("#!/bin/sh\n")
    (tmp_path / "sinfo").chmod(0o755)
    command = [str(Path(sys.executable).with_name("assay")), "doctor", "--json"]
    done = subprocess.run(command, env={**os.environ, "PATH": str(tmp_path)}, capture_output=True, text=True)
    assert done.returncode == 1
    assert {key: json.loads(done.stdout)[-1][key] for key in ("what", "ok")} == {"what": "Slurm", "ok": False}
