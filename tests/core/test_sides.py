"""The processes of a comparison: none is left behind, whenever the run is stopped."""

import os
import signal
import time
from pathlib import Path

import pytest

from assay.pipeline import sides
from assay.pipeline.sides import Runner, Side, Task


@pytest.fixture
def sleeper(tmp_path, monkeypatch) -> Path:
    """Each process of a task notes its number here, and sleeps for a minute."""
    script, started = tmp_path / "python", tmp_path / "started"
    script.write_text(f"#!/bin/sh\necho $$ >> {started}\nexec sleep 60\n")
    script.chmod(0o755)
    monkeypatch.setattr(sides.sys, "executable", str(script))
    started.touch()
    return started


@pytest.fixture
def stop():
    """Stop the main thread as Ctrl-C does, which a test runner in the background would not hear."""

    def heard(number, frame):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGUSR1, heard)
    yield lambda: os.kill(os.getpid(), signal.SIGUSR1)
    signal.signal(signal.SIGUSR1, before)


def test_a_process_about_to_start_when_the_run_is_stopped_never_does(tmp_path, sleeper, stop, monkeypatch):
    runner = Runner(1, print)

    def stopped_meanwhile(what):
        stop()
        time.sleep(0.5)
        return "{}"

    monkeypatch.setattr(sides.json, "dumps", stopped_meanwhile)
    with pytest.raises(KeyboardInterrupt), runner:
        runner.do([Task(Side("after", tmp_path, tmp_path / "tasks"), {})])
    assert sleeper.read_text() == ""


def test_processes_at_work_when_the_run_is_stopped_are_gone_with_it(tmp_path, sleeper, stop):
    task = Task(Side("after", tmp_path, tmp_path / "tasks"), {})

    class Stopped(Runner):
        def _started(self, *arguments):
            while arguments[1].name == "task-1" and not sleeper.read_text():
                time.sleep(0.01)
            if arguments[1].name == "task-1":
                stop()
            return super()._started(*arguments)

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt), Stopped(2, print) as runner:
        runner.do([task, task])
    assert time.monotonic() - began < 30
    for number in sleeper.read_text().split():
        with pytest.raises(ProcessLookupError):
            os.kill(int(number), 0)
