"""Snakemake's terminal output for assay: one line a finished job, with the share done and the time left.

Dry runs, warnings and errors are shown as Snakemake shows them. Enabled by `logger: assay` in profiles/default.
"""

import logging
import sys
import time
from collections import Counter, defaultdict

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

SILENT = {
    LogEvent.JOB_STARTED,
    LogEvent.PROGRESS,
    LogEvent.RESOURCES_INFO,
    LogEvent.RULEGRAPH,
    LogEvent.SHELLCMD,
    LogEvent.WORKFLOW_STARTED,
}


class Progress:
    """Counts jobs by rule and estimates the time left from how long jobs of each rule took so far."""

    def __init__(self, now: float):
        self.started = now
        self.waiting: Counter[str] = Counter()
        self.total = 0
        self.running: dict[int, tuple[str, str, float]] = {}
        self.took: defaultdict[str, list[float]] = defaultdict(list)

    def plan(self, stats: dict[str, int]) -> None:
        """Take the number of jobs by rule, as Snakemake states it before a run."""
        self.waiting = Counter({rule: count for rule, count in stats.items() if rule != "total"})
        self.total = sum(self.waiting.values())

    def start(self, job: int, rule: str, message: str, now: float) -> None:
        self.running[job] = (rule, message, now)

    def finish(self, job: int, now: float) -> str:
        """Note a finished job; its message."""
        rule, message, started = self.running.pop(job, ("", "", now))
        self.took[rule].append(now - started)
        self.waiting[rule] -= 1
        return message or rule

    @property
    def done(self) -> int:
        return self.total - sum(count for count in self.waiting.values() if count > 0)

    def seconds_left(self, now: float) -> float | None:
        """Remaining work, by the mean duration of each rule's jobs, at the parallelism seen so far; None before a job is done."""
        durations = [seconds for took in self.took.values() for seconds in took]
        elapsed = now - self.started
        if not durations or elapsed <= 0:
            return None
        overall = sum(durations) / len(durations)
        means = {rule: sum(took) / len(took) for rule, took in self.took.items() if took}
        work = sum(max(0, count) * means.get(rule, overall) for rule, count in self.waiting.items())
        parallel = max(1.0, sum(durations) / elapsed)
        return work / parallel


def clock(seconds: float) -> str:
    """Minutes and seconds, with hours where there are any."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class LogHandler(LogHandlerBase):
    """Writes to stderr."""

    def __post_init__(self) -> None:
        self.progress = Progress(time.monotonic())

    def emit(self, record: logging.LogRecord) -> None:
        text = self.line(record, time.monotonic())
        if text:
            print(text, file=sys.stderr, flush=True)

    def line(self, record: logging.LogRecord, now: float) -> str | None:
        """What to print for a log record, None for nothing."""
        event = getattr(record, "event", None)
        if self.common_settings.dryrun or record.levelno >= logging.WARNING:
            return self.format(record)
        if event == LogEvent.RUN_INFO:
            self.progress.plan(record.stats)
            return f"{self.progress.total} jobs to run"
        if event == LogEvent.JOB_INFO:
            self.progress.start(record.jobid, record.rule_name, record.rule_msg or record.rule_name, now)
            return None
        if event == LogEvent.JOB_FINISHED:
            return self.finished(record.job_id, now)
        return None if event in SILENT or event is None else self.format(record)

    def finished(self, job: int, now: float) -> str | None:
        message = self.progress.finish(job, now)
        if message == "all":
            return None
        left = self.progress.seconds_left(now)
        share = f"{self.progress.done:{len(str(self.progress.total))}}/{self.progress.total}"
        remaining = f"about {clock(left)} left" if left is not None else ""
        return f"[{share}] {clock(now - self.progress.started):>6}  {message:<64} {remaining}".rstrip()

    @property
    def writes_to_stream(self) -> bool:
        return True

    @property
    def writes_to_file(self) -> bool:
        return False

    @property
    def has_filter(self) -> bool:
        return False

    @property
    def has_formatter(self) -> bool:
        return False

    @property
    def needs_rulegraph(self) -> bool:
        return False
