"""Snakemake's terminal output: progress and time left worked out by hand, one line a job, nothing lost that matters."""

import logging
from types import SimpleNamespace

import pytest
from snakemake_interface_logger_plugins.common import LogEvent

import snakemake_logger_plugin_assay as plugin
from snakemake_logger_plugin_assay import LogHandler, Progress, clock


def test_time_left_by_hand():
    """Four trainings, two measurements and the target; two trainings run side by side and take 10 and 20 seconds."""
    progress = Progress(now=0)
    progress.plan({"train": 4, "measure": 2, "all": 1, "total": 7})
    assert (progress.total, progress.done) == (7, 0)
    assert progress.seconds_left(5) is None
    progress.start(1, "train", "train a", 0)
    progress.start(2, "train", "train b", 0)
    assert progress.finish(1, 10) == "train a"
    assert progress.finish(2, 20) == "train b"
    assert progress.done == 2
    # 2 trainings at 15 s; 2 measurements and the target at the mean of all jobs, 15 s; 30 s of work were done in 20 s.
    assert progress.seconds_left(20) == pytest.approx((2 * 15 + 3 * 15) / 1.5)
    progress.start(3, "measure", "", 20)
    assert progress.finish(3, 22) == "measure"
    # A measurement is now known to take 2 s; the target takes the mean of 10, 20 and 2 s; 32 s of work in 22 s.
    assert progress.seconds_left(22) == pytest.approx((2 * 15 + 1 * 2 + 32 / 3) / (32 / 22))


def test_idle_time_never_counts_as_less_than_one_job_at_a_time():
    progress = Progress(now=0)
    progress.plan({"train": 2, "total": 2})
    progress.start(1, "train", "", 90)
    progress.finish(1, 100)
    assert progress.seconds_left(100) == pytest.approx(10)


def test_nothing_is_left_at_the_end():
    progress = Progress(now=0)
    progress.plan({"train": 1, "total": 1})
    progress.start(1, "train", "", 0)
    progress.finish(1, 3)
    assert progress.done == progress.total == 1
    assert progress.seconds_left(3) == 0


def test_jobs_beyond_the_plan_do_not_upset_the_count():
    progress = Progress(now=0)
    progress.plan({"train": 1, "total": 1})
    progress.finish(7, 1)
    assert (progress.done, progress.total) == (0, 1)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (9.4, "0:09"), (59.6, "1:00"), (600, "10:00"), (3661, "1:01:01"), (36000, "10:00:00")]
)
def test_clock(seconds, text):
    assert clock(seconds) == text


@pytest.fixture
def handler(monkeypatch):
    monkeypatch.setattr(plugin.time, "monotonic", lambda: 0.0)
    return LogHandler(common_settings=SimpleNamespace(dryrun=False), settings=None)


def record(event: LogEvent | None = None, level: int = logging.INFO, message: str = "", **fields) -> logging.LogRecord:
    made = logging.LogRecord("snakemake", level, "", 0, message, (), None)
    made.__dict__.update(fields)
    if event is not None:
        made.event = event
    return made


def test_a_run_is_a_line_for_each_job(handler):
    lines = [
        handler.line(record(LogEvent.RUN_INFO, stats={"train": 2, "all": 1, "total": 3}), 0),
        handler.line(record(LogEvent.JOB_INFO, jobid=1, rule_name="train", rule_msg="train a"), 0),
        handler.line(record(LogEvent.JOB_STARTED, jobs=[1]), 0),
        handler.line(record(LogEvent.JOB_FINISHED, job_id=1), 8),
        handler.line(record(LogEvent.PROGRESS, done=1, total=3), 8),
        handler.line(record(LogEvent.JOB_INFO, jobid=2, rule_name="train", rule_msg=None), 8),
        handler.line(record(LogEvent.JOB_FINISHED, job_id=2), 20),
        handler.line(record(LogEvent.JOB_INFO, jobid=0, rule_name="all", rule_msg=None), 20),
        handler.line(record(LogEvent.JOB_FINISHED, job_id=0), 20),
    ]
    assert [" ".join(line.split()) if line else line for line in lines] == [
        "3 jobs to run",
        None,
        None,
        "[1/3] 0:08 train a about 0:16 left",
        None,
        None,
        "[2/3] 0:20 train about 0:10 left",
        None,
        None,
    ]


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
    handler.emit(record(LogEvent.RUN_INFO, stats={"all": 1, "total": 1}))
    handler.emit(record(message="chatter"))
    assert capsys.readouterr() == ("", "1 jobs to run\n")
