"""Broken runs: a clear line, nothing lost, and the next run ends where an undisturbed one does."""

import fcntl
import json
import os
import pty
import shutil
import signal
import subprocess
import termios
import time

import pytest
from pipeline_project import VERDICTS, Project

from assay.pipeline.preflight import Records

SLOW = """
paper: P166
question: Does a killed training resume?
base: {world: shapes, model: resnet, budget: {epochs: 2}, augment: waiting}
arms:
  one: {}
  two: {model: linear}
protocol: patient
controls: [one.accuracy > -1]
expect: [one.accuracy > 0.5]
"""

PROBED = """
paper: P166
question: Does it fail as it should?
base: {world: shapes, model: linear, budget: {epochs: 2}}
arms: {one: {}}
protocol: {probe: {shift: 1.0e+400}}
controls: [one.accuracy > -1]
expect: [one.accuracy > 0.5]
"""

HALVES = """
paper: P166
question: Are the other arms shown when one fails?
base: {world: shapes, model: linear, budget: {epochs: 1}}
networks:
  first: {augment: breaking}
arms:
  plain: {}
  smooth: {objective: {cross_entropy: {label_smoothing: 0.1}}}
  broken: {augment: breaking}
  tuned: {start: first, augment: noisy}
protocol: probe
controls: [plain.accuracy > -1, tuned.accuracy > -1]
expect: [smooth.accuracy > plain.accuracy, broken.accuracy > plain.accuracy]
"""

BREAKING = '''"""Fails where a test wants it, for tests of failing arms."""


def breaking(batch, generator):
    """Returns the batch as it is."""
    return batch
'''

WAITING = '''"""Notes its process and waits as long as a file asks for it, for tests that kill a training."""

from assay.augment._hold import hold


def waiting(batch, generator):
    """Returns the batch as it is."""
    hold("train")
    return batch
'''

HOLD = '''"""Waiting where tests want it."""

import os
import time
from pathlib import Path


def hold(stage):
    """Wait while there is a file of this stage's name."""
    if Path(stage).exists():
        Path(f"inside-{stage}-{os.getpid()}").touch()
    while Path(stage).exists():
        time.sleep(0.02)
'''

PATIENT = '''"""Accuracy on the test split, in its own time."""

from assay.augment._hold import hold
from assay.measuring.evaluate import predict

METRICS = {"accuracy": "Accuracy [0 to 1, higher is better]: share of test images classified correctly"}


def patient(arm):
    """Yields the accuracy."""
    hold("measure")
    test = arm.world.test
    yield "accuracy", (predict(arm.network, test.images).argmax(1) == test.labels).double().mean().item()
'''


def wait_for(condition, seconds=600):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "timed out"
        time.sleep(0.05)


def only(project, name, text):
    shutil.rmtree(project.root / "config/studies")
    project.study(name, text)


def start(project, terminal=None):
    """A run in a session of its own, which may have a terminal."""

    def prepare():
        # What starts the tests may ignore these signals (nohup, a job in the background), and children inherit that.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        if terminal is not None:
            fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)

    output = subprocess.PIPE if terminal is None else terminal
    return subprocess.Popen(
        project.command(),
        cwd=project.root,
        env=project.environment,
        stdin=terminal,
        stdout=output,
        stderr=output,
        start_new_session=True,
        preexec_fn=prepare,
    )


def inside(project, stage):
    """The processes that wait in a stage."""
    return [int(path.name.rpartition("-")[2]) for path in project.root.glob(f"inside-{stage}-*")]


def slow_project(project):
    only(project, "slow", SLOW)
    project.write("src/assay/augment/_hold.py", HOLD)
    project.write("src/assay/augment/waiting.py", WAITING)
    project.write("src/assay/protocols/patient.py", PATIENT)
    return project


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    project = slow_project(Project(tmp_path_factory.mktemp("undisturbed")))
    project.run()
    return project.results()


KILLS = ("everything", "the main process", "all training jobs", "one of two training jobs", "Ctrl-C", "the terminal")


@pytest.mark.parametrize("what", KILLS)
def test_killed_in_the_middle_of_training_the_next_run_gives_the_same_bytes(project, undisturbed, what):
    slow_project(project)
    (project.root / "train").touch()
    screen, terminal = pty.openpty()
    run = start(project, terminal if what == "the terminal" else None)
    os.close(terminal)
    wait_for(lambda: len(inside(project, "train")) == 2)
    if what == "everything":
        os.killpg(run.pid, signal.SIGKILL)
    elif what == "the main process":
        run.kill()
    elif what == "Ctrl-C":
        os.killpg(run.pid, signal.SIGINT)
    elif what != "the terminal":
        for process in inside(project, "train")[what == "one of two training jobs" :]:
            os.kill(process, signal.SIGKILL)
    os.close(screen)
    if "training" in what:
        (project.root / "train").unlink()
    if what == "Ctrl-C":
        said = run.communicate(timeout=600)[1]
        assert b"Error" not in said
        assert b"KeyboardInterrupt" not in said
        assert b"stopped by SIGINT: what was finished stays, and the same command goes on from there" in said
        assert b"Some jobs failed" not in said
        assert not list(project.root.glob("results/**/*.failed.json"))
    assert run.wait(600) != 0
    (project.root / "train").unlink(missing_ok=True)
    project.run(VERDICTS)
    assert project.results() == undisturbed


def recorded(project, output):
    """Whether Snakemake noted that it made this output; it takes its time to, after the job wrote it."""
    records = Records(project.root / ".snakemake")
    return f"results/ci/{output}" in records.made - records.stopped


def test_killed_between_two_blocks_the_next_run_measures_the_missing_one_alone(project):
    slow_project(project)
    project.edit("config/scales/ci.yaml", "first_look: 1", "first_look: 2")
    project.edit("src/assay/protocols/patient.py", 'hold("measure")', 'hold(f"measure-{arm.seed}")')
    folder = project.root / "results/ci/observations/slow"
    (project.root / "measure-1").touch()
    run = start(project)
    wait_for(lambda: inside(project, "measure-1") and recorded(project, "observations/slow/0-0/provenance.json"))
    os.killpg(run.pid, signal.SIGKILL)
    run.wait(600)
    (project.root / "measure-1").unlink()
    first = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in (folder / "0-0").iterdir()}
    said = project.run()
    assert "measure slow/1-1" in said
    assert "measure slow/0-0" not in said
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in (folder / "0-0").iterdir()} == first
    assert {path.name for path in folder.iterdir()} == {"0-0", "1-1"}
    rests_on = json.loads((project.root / "results/ci/verdicts.json").read_text())["studies"]["slow"]["rests_on"]
    assert set(rests_on["blocks"]) == {"0-0", "1-1"}


def test_a_measurement_that_outlives_the_main_process_is_waited_for(project, undisturbed):
    slow_project(project)
    (project.root / "measure").touch()
    run = start(project)
    wait_for(lambda: inside(project, "measure"))
    run.kill()
    run.wait(600)
    again = start(project)
    wait_for(lambda: (project.root / "results/ci/logs/measure/slow/0-0.log").exists() and "measure" in jobs_of(again))
    assert len(inside(project, "measure")) == 1
    (project.root / "measure").unlink()
    again.communicate(timeout=600)
    assert again.returncode == 0
    assert project.results() == undisturbed
    assert "jobs to run" not in project.run()


def jobs_of(run):
    """The command lines of a run's processes."""
    return subprocess.run(["pgrep", "-g", str(run.pid), "-a"], capture_output=True, text=True).stdout


def test_of_two_runs_started_at_once_one_is_refused_and_the_other_finishes(project, undisturbed):
    slow_project(project)
    runs = [start(project), start(project)]
    said = [run.communicate(timeout=1200) for run in runs]
    codes = [run.returncode for run in runs]
    assert sorted(codes)[0] == 0
    for code, (out, err) in zip(codes, said, strict=True):
        assert code == 0 or b"another snakemake is at work in this folder" in out + err
    assert project.results() == undisturbed


def test_lock_files_that_a_crash_left_behind_hold_nobody_up(project, undisturbed):
    slow_project(project)
    for path in ("results/ci/.lock", "results/ci/receipts/measure/slow/0-0.lock", ".snakemake/locks/0.output.lock"):
        project.write(path, "results/ci/verdicts.json\n")
    project.run()
    assert project.results() == undisturbed


def test_a_second_run_in_the_same_folder_is_refused(project):
    slow_project(project)
    (project.root / "train").touch()
    run = start(project)
    wait_for(lambda: inside(project, "train"))
    second = project.snakemake()
    (project.root / "train").unlink()
    run.communicate(timeout=600)
    assert run.returncode == 0
    assert second.returncode != 0
    assert "results/ci: another snakemake is at work in this folder" in second.stdout + second.stderr


def test_one_failing_study_does_not_stop_the_others_and_the_report_says_why(project):
    project.study("broken", PROBED)
    project.edit("src/assay/protocols/probe.py", "+ shift", "+ shift * 1e308 * 1e308")
    project.edit("config/studies/tests/broken.yaml", "1.0e+400", "1.0e+9")
    done = project.snakemake()
    assert done.returncode != 0
    verdicts = json.loads((project.root / "results/ci/verdicts-partial.json").read_text())
    assert set(verdicts["studies"]) == {"plain", "tuned"}
    message = "broken: arm 'one', seed 0: metric 'accuracy' is inf; metrics are finite"
    assert verdicts["failed"]["broken"]["error"] == message
    assert message in done.stdout + done.stderr
    assert "metrics are finite" in (project.root / "results/ci/report/studies/broken.html").read_text()
    project.edit("config/studies/tests/broken.yaml", "1.0e+9", "0.0")
    project.run()
    assert "metrics are finite" not in (project.root / "results/ci/report/studies/broken.html").read_text()
    assert not json.loads((project.root / "results/ci/verdicts.json").read_text())["failed"]


def test_an_arm_that_fails_in_training_leaves_the_others_measured_drawn_judged_and_shown(project):
    only(project, "halves", HALVES)
    plug = project.write("src/assay/augment/breaking.py", BREAKING)
    project.edit("config/scales/ci.yaml", "networks_per_job: 1", "networks_per_job: 16")
    project.run()
    before = project.measured()
    plug.write_text(BREAKING.replace("    return batch", '    raise TypeError("\\nno such\\nbatch")'))
    done = project.snakemake()
    assert done.returncode != 0
    assert "train: TypeError: no such" in done.stderr
    judged = json.loads((project.root / "results/ci/verdicts-partial.json").read_text())
    failed, shown = judged["failed"]["halves"], judged["partial"]["halves"]
    assert not judged["studies"]
    assert (failed["stage"], failed["error"]) == ("train", "TypeError: no such")
    assert list(failed["arms"]) == ["broken", "tuned"]
    for why in failed["arms"].values():
        assert "training linear-shapes-breaking-" in why
        assert why.endswith("failed: TypeError: no such")
    assert [item["text"] for item in shown["expectations"]] == ["smooth.accuracy > plain.accuracy"]
    assert shown["unread"]["expect"] == ["broken.accuracy > plain.accuracy"]
    assert shown["unread"]["controls"] == ["tuned.accuracy > -1"]
    report = project.root / "results/ci/report"
    page, index = (report / "studies/halves.html").read_text(), (report / "index.html").read_text()
    assert "2 arms failed, so there is no verdict" in page
    assert "Out of date" not in page
    assert "TypeError: no such" in page
    assert "TypeError: no such" in index
    assert (report / "figures/halves.svg").exists()
    rows = (project.root / "results/ci/partial/halves/0-0/observations.csv").read_text().splitlines()
    whole = before["observations/halves/0-0/observations.csv"].decode().splitlines()
    assert rows == whole[:3]
    assert not list(project.root.glob("results/ci/observations/halves/*/*.csv"))
    assert project.planned("train")
    plug.write_text(BREAKING)
    assert "Some jobs failed" not in project.run()
    assert project.measured() == before
    assert "taken over" in (project.root / "results/ci/logs/measure/halves/0-0.log").read_text()
    assert not (project.root / "results/ci/partial/halves/0-0").exists()
    assert "failed, so there is no verdict" not in (report / "studies/halves.html").read_text()


def test_a_diverging_training_names_step_network_and_last_finite_loss(project):
    only(
        project, "wild", PROBED.replace("model: linear", "model: mlp, optimizer: {sgd: {lr: 1.0e+9}}").replace("1.0e+400", "0.0")
    )
    done = project.snakemake()
    assert done.returncode != 0
    failed = json.loads((project.root / "results/ci/verdicts-partial.json").read_text())["failed"]["wild"]
    assert failed["stage"] == "train"
    assert "seed 0: loss is " in failed["error"]
    assert "last finite loss" in failed["error"]
    assert "lower the optimizer's lr" in failed["error"]
