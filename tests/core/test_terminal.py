"""Snakemake's terminal output: progress and time left worked out by hand, one line a job, nothing lost that matters."""

import logging
from types import SimpleNamespace

import pytest
from snakemake_interface_logger_plugins.common import LogEvent

import snakemake_logger_plugin_assay as plugin
from assay.pipeline.progress import Job
from snakemake_logger_plugin_assay import LogHandler, clock


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (9.4, "0:09"), (59.6, "1:00"), (600, "10:00"), (3661, "1:01:01"), (36000, "10:00:00")]
)
def test_clock(seconds, text):
    assert clock(seconds) == text


@pytest.fixture
def handler(monkeypatch):
    monkeypatch.setattr(plugin.time, "monotonic", lambda: 0.0)
    monkeypatch.setattr(plugin.threading.Thread, "start", lambda thread: None)
    return LogHandler(common_settings=SimpleNamespace(dryrun=False), settings=None)


def record(event: LogEvent | None = None, level: int = logging.INFO, message: str = "", **fields) -> logging.LogRecord:
    made = logging.LogRecord("snakemake", level, "", 0, message, (), None)
    made.__dict__.update(fields)
    if event is not None:
        made.event = event
    return made


def forecast(*seconds: float) -> SimpleNamespace:
    """A forecast of trainings one after another on one core, numbered from 1."""
    return SimpleNamespace(jobs={number: Job("train", each) for number, each in enumerate(seconds, 1)}, cores=1)


def test_a_run_is_a_line_for_each_job(handler):
    lines = [
        handler.line(record(LogEvent.RUN_INFO, stats={"train": 2, "all": 1, "total": 3}), 0),
        handler.line(record(message="plan: 2 jobs, about an hour", forecast=forecast(8, 16)), 0),
        handler.line(record(LogEvent.JOB_INFO, jobid=1, rule_name="train", rule_msg="train a"), 0),
        handler.line(record(LogEvent.JOB_STARTED, jobs=[1]), 0),
        handler.line(record(LogEvent.JOB_FINISHED, job_id=1), 8),
        handler.line(record(LogEvent.PROGRESS, done=1, total=3), 8),
        handler.line(record(LogEvent.JOB_INFO, jobid=2, rule_name="train", rule_msg=None), 8),
        handler.line(record(LogEvent.JOB_FINISHED, job_id=2), 24),
        handler.line(record(LogEvent.JOB_INFO, jobid=0, rule_name="all", rule_msg=None), 24),
        handler.line(record(LogEvent.JOB_FINISHED, job_id=0), 24),
    ]
    assert [" ".join(line.split()) if line else line for line in lines] == [
        "2 jobs to run",
        "plan: 2 jobs, about an hour",
        None,
        None,
        "[1/2] 0:08 train a about 0:16 left",
        None,
        None,
        "[2/2] 0:24 train about 0:00 left",
        None,
        None,
    ]


def test_a_line_has_eighty_columns_and_keeps_both_ends_of_a_long_name(handler):
    handler.line(record(LogEvent.RUN_INFO, stats={"total": 1234}), 0)
    handler.line(record(forecast=forecast(36000, 36000)), 0)
    handler.line(record(LogEvent.JOB_INFO, jobid=1, rule_name="train", rule_msg="train " + "long-" * 20 + "end"), 0)
    line = handler.line(record(LogEvent.JOB_FINISHED, job_id=1), 36000)
    assert len(line) == 80
    assert " train long-" in line
    assert "long-end about 10:00:00 left" in line


def test_without_a_forecast_no_time_is_guessed(handler):
    handler.line(record(LogEvent.RUN_INFO, stats={"total": 2}), 0)
    handler.line(record(LogEvent.JOB_INFO, jobid=1, rule_name="train", rule_msg="train a"), 0)
    assert handler.line(record(LogEvent.JOB_FINISHED, job_id=1), 8).split() == ["[1/2]", "0:08", "train", "a"]


def test_a_minute_of_silence_ends_with_what_runs_and_what_is_left(handler):
    handler.line(record(LogEvent.RUN_INFO, stats={"total": 3}), 0)
    handler.line(record(forecast=forecast(100, 200)), 0)
    assert handler.waiting(500) is None  # nothing runs yet
    handler.line(record(LogEvent.JOB_INFO, jobid=1, rule_name="train", rule_msg="train a"), 0)
    assert handler.waiting(59) is None
    assert " ".join(handler.waiting(60).split()) == "[0/3] 1:00 ... train a about 4:00 left"
    handler.line(record(LogEvent.JOB_INFO, jobid=2, rule_name="train", rule_msg="train b"), 0)
    assert "... train a and 1 more" in handler.waiting(60)


def test_a_failed_job_runs_no_longer(handler):
    handler.line(record(LogEvent.RUN_INFO, stats={"total": 1}), 0)
    handler.line(record(LogEvent.JOB_INFO, jobid=1, rule_name="train", rule_msg="train a"), 0)
    handler.line(record(LogEvent.JOB_ERROR, level=logging.ERROR, message="failed", jobid=1), 5)
    assert handler.waiting(100) is None


def test_warnings_and_errors_are_always_shown(handler):
    assert handler.line(record(level=logging.WARNING, message="careful"), 0) == "careful"
    assert handler.line(record(LogEvent.JOB_ERROR, level=logging.ERROR, message="train failed"), 0) == "train failed"


def test_chatter_is_not_shown(handler):
    assert handler.line(record(message="Building DAG of jobs..."), 0) is None
    assert handler.line(record(LogEvent.SHELLCMD, message="cp a b"), 0) is None


def test_dry_runs_are_shown_as_they_are(handler):
    handler.common_settings.dryrun = True
    assert handler.line(record(LogEvent.JOB_INFO, message="rule train:"), 0) == "rule train:"


def test_lines_go_to_stderr(handler, capsys):
    handler.emit(record(LogEvent.RUN_INFO, stats={"judge": 1, "all": 1, "total": 2}))
    handler.emit(record(message="chatter"))
    assert capsys.readouterr() == ("", "1 job to run\n")


def test_a_run_of_nothing_but_the_target_has_nothing_to_do(handler):
    assert handler.line(record(LogEvent.RUN_INFO, stats={"all": 1, "total": 1}), 0) is None


# Trainings

LOG = """
12:00:01 resnet-a seed 0: epoch 1 of 8, loss 1.9000
12:00:01 resnet-a seed 1: epoch 1 of 8, loss 1.8000
12:00:09 resnet-a seed 0: epoch 2 of 8, loss 1.5000
12:00:09 convnet-b seed 3: trained with this code before; brought back
"""


@pytest.fixture
def training(handler, tmp_path):
    """A training of 16 epochs, foreseen to take 100 s, and after it one of 100 s, on one core; the first one's log."""
    log = tmp_path / "a.log"
    jobs = {1: Job("train", 100, epochs=16), 2: Job("train", 100, epochs=16, after=frozenset({1}))}
    handler.line(record(LogEvent.RUN_INFO, stats={"total": 2}), 0)
    handler.line(record(forecast=SimpleNamespace(jobs=jobs, cores=1)), 0)
    handler.line(record(LogEvent.JOB_INFO, jobid=1, rule_name="train", rule_msg="train a", log=[str(log)]), 0)
    return log


def test_a_terminal_shows_network_epoch_and_the_time_left_in_one_line_that_is_rewritten(handler, training, capsys):
    handler.live = True
    handler._tick(1)
    assert capsys.readouterr().err == f"{plugin.CLEAR}{handler.status(1)}"
    assert " ".join(handler.status(1).split()) == "[0/2] 0:01 train a about 3:19 left"
    training.write_text(LOG)
    handler._tick(30)
    # 3 of 16 epochs took 30 s, so 130 s are left of this job. The other one: all jobs take (20 + 160) / (20 + 100) = 1.5 times
    # what was foreseen, and so trainings (20 x 1.5 + 160) / (20 + 100) times, 158 s.
    assert " ".join(handler.status(30).split()) == "[0/2] 0:30 resnet-a seed 0: epoch 2 of 8 about 4:48 left"
    shown = capsys.readouterr().err
    assert shown.count("\n") == 0
    assert len(handler.status(30)) < 80
    handler._print(handler.line(record(LogEvent.JOB_FINISHED, job_id=1), 160), 160)
    assert capsys.readouterr().err.startswith(f"{plugin.CLEAR}[1/2]   2:40  train a")
    handler._tick(161)
    assert capsys.readouterr().err == ""  # nothing runs, and nothing is to be cleared


def test_after_a_stop_the_next_line_begins_at_the_left(handler, training, capsys):
    handler.live = True
    handler._tick(1)
    capsys.readouterr()
    handler.emit(record(over=True))
    assert capsys.readouterr().err == plugin.CLEAR
    handler._tick(2)
    assert capsys.readouterr().err == ""


def test_a_pipe_gets_whole_lines_alone(handler, training, capsys):
    training.write_text(LOG)
    assert handler.live is False
    for second in range(1, 60):
        handler._tick(second)
    assert capsys.readouterr().err == ""
    handler._tick(60)
    (line,) = capsys.readouterr().err.splitlines()
    assert "\r" not in line
    assert "... resnet-a seed 0: epoch 2 of 8" in line


def test_a_log_that_is_not_there_or_tells_nothing_changes_nothing(handler, training):
    before = handler.status(10)
    handler._tick(10)
    training.write_bytes(b"\xff\xfe nothing\n")
    handler._tick(20)
    assert " ".join(before.split()) == "[0/2] 0:10 train a about 3:10 left"
    assert "train a" in handler.status(20)


def test_a_narrow_terminal_is_not_left(handler, training, monkeypatch):
    training.write_text(LOG.replace("resnet-a", "resnet-" + "long-" * 20))
    handler._tick(30)
    monkeypatch.setattr(plugin.shutil, "get_terminal_size", lambda: SimpleNamespace(columns=50))
    assert len(handler.status(30)) <= 49
    assert handler.status(30).endswith(" left")
