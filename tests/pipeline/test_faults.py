"""Bad input and broken runs: a clear line, nothing lost, and the next run ends where an undisturbed one does."""

import json
import os
import shutil
import signal
import subprocess
import time

import pytest
from pipeline_project import Project

SLOW = """
paper: P166
question: Does a killed training resume?
base: {world: shapes, model: resnet, budget: {epochs: 2}}
arms: {one: {}}
protocol: probe
controls: [one.accuracy > -1]
expect: [one.accuracy > 0.5]
"""

STOPS_IN_THE_MIDDLE = '''"""Waits in the second epoch as long as a file asks for it, for tests that kill a training."""

import time
from pathlib import Path


def waiting(batch, generator):
    """Returns the batch as it is."""
    flag = Path("results/ci/inside")
    flag.parent.mkdir(parents=True, exist_ok=True)
    flag.touch()
    while Path("hold").exists():
        time.sleep(0.02)
    return batch
'''


def wait_for(condition, seconds=600):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "timed out"
        time.sleep(0.05)


def only(project, name, text):
    shutil.rmtree(project.root / "config/studies")
    project.study(name, text)


def start(project):
    command = project.command()
    return subprocess.Popen(
        command,
        cwd=project.root,
        env=project.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def slow_project(project):
    only(project, "slow", SLOW.replace("model: resnet", "model: resnet, augment: waiting"))
    project.write("src/assay/augment/waiting.py", STOPS_IN_THE_MIDDLE)
    return project


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    project = slow_project(Project(tmp_path_factory.mktemp("undisturbed")))
    project.run()
    return project.results()


@pytest.mark.parametrize("who", ["everything", "main process", "training job", "Ctrl-C"])
def test_killed_in_the_middle_of_training_the_next_run_gives_the_same_bytes(project, undisturbed, who):
    slow_project(project)
    (project.root / "hold").touch()
    run = start(project)
    wait_for((project.root / "results/ci/inside").exists)
    if who == "everything":
        os.killpg(run.pid, signal.SIGKILL)
    elif who == "main process":
        run.kill()
    elif who == "Ctrl-C":
        os.killpg(run.pid, signal.SIGINT)
    else:
        subprocess.run(["pkill", "-9", "-g", str(run.pid), "-f", "train.py"], check=True)
        (project.root / "hold").unlink()
    (project.root / "hold").unlink(missing_ok=True)
    run.communicate(timeout=600)
    project.run()
    assert project.results() == undisturbed


def test_a_second_run_in_the_same_folder_is_refused(project):
    slow_project(project)
    (project.root / "hold").touch()
    run = start(project)
    wait_for((project.root / "results/ci/inside").exists)
    second = project.snakemake()
    (project.root / "hold").unlink()
    run.communicate(timeout=600)
    assert run.returncode == 0
    assert second.returncode != 0
    assert "results/ci: another snakemake is at work in this folder" in second.stdout + second.stderr


def test_one_failing_study_does_not_stop_the_others_and_the_report_says_why(project):
    project.study(
        "broken",
        SLOW.replace("protocol: probe", "protocol: {probe: {shift: 1.0e+400}}").replace("model: resnet", "model: linear"),
    )
    project.edit("src/assay/protocols/probe.py", "+ shift", "+ shift * shift")
    project.edit("config/studies/tests/broken.yaml", "1.0e+400", "1.0e+300")
    done = project.snakemake()
    assert done.returncode != 0
    verdicts = json.loads((project.root / "results/ci/verdicts-partial.json").read_text())
    assert set(verdicts["studies"]) == {"plain", "tuned"}
    message = "broken: arm 'one', seed 0: metric 'accuracy' is inf; metrics are finite"
    assert verdicts["failed"]["broken"]["error"] == message
    assert message in done.stdout + done.stderr
    assert "metrics are finite" in (project.root / "results/ci/report/studies/broken.html").read_text()
    project.edit("config/studies/tests/broken.yaml", "1.0e+300", "0.0")
    project.run()
    assert not json.loads((project.root / "results/ci/verdicts.json").read_text())["failed"]


def test_a_diverging_training_names_step_network_and_last_finite_loss(project):
    only(project, "wild", SLOW.replace("model: resnet", "model: mlp, optimizer: {sgd: {lr: 1.0e+30}}"))
    done = project.snakemake()
    assert done.returncode != 0
    failed = json.loads((project.root / "results/ci/verdicts-partial.json").read_text())["failed"]["wild"]
    assert failed["stage"] == "train"
    assert "seed 0: loss is " in failed["error"]
    assert "last finite loss" in failed["error"]
    assert "lower the optimizer's lr" in failed["error"]


@pytest.mark.parametrize("damage", ["truncated", "empty", "foreign", "missing"])
def test_damaged_evidence_is_named_and_the_next_run_makes_it_again(tmp_path, finished, damage):
    project = finished.copy(tmp_path)
    path = project.root / "results/ci/observations/plain/observations.csv"
    contents = {"truncated": path.read_bytes()[:-5], "empty": b"", "foreign": b"\x00\x01 not a table"}
    if damage == "missing":
        shutil.rmtree(path.parent)
    else:
        path.write_bytes(contents[damage])
        failed = project.snakemake()
        assert failed.returncode != 0
        assert "observations.csv: truncated or altered" in failed.stdout + failed.stderr
    project.run()
    assert project.results() == finished.results()


def test_damaged_weights_are_named_and_the_next_run_trains_them_again(tmp_path, finished):
    project = finished.copy(tmp_path)
    weights = next((project.root / "results/ci/networks").glob("linear-shapes-*/seed-0.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-3] + b"abc")
    shutil.rmtree(project.root / "results/ci/observations")
    failed = project.snakemake()
    assert failed.returncode != 0
    assert f"{weights.parent.name}/seed-0.safetensors: missing, truncated or altered" in failed.stdout + failed.stderr
    project.run()
    assert project.results() == finished.results()


def test_a_full_disk_fails_clearly_and_the_next_run_recovers(project, tmp_path_factory):
    disk = tmp_path_factory.mktemp("disk")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(disk)], capture_output=True).returncode:
        pytest.skip("mounting a small tmpfs needs root")
    try:
        only(project, "slow", SLOW)
        (project.root / "results/ci").mkdir(parents=True)
        (project.root / "results/ci/networks").symlink_to(disk)
        done = project.snakemake()
        assert done.returncode != 0
        assert "No space left on device" in done.stdout + done.stderr
        assert not list(disk.glob("*/seed-*.json"))
    finally:
        subprocess.run(["umount", str(disk)], check=True)
    (project.root / "results/ci/networks").unlink()
    project.run()
    assert (project.root / "results/ci/verdicts.json").exists()
