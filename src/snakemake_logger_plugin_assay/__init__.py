"""Snakemake's terminal output for assay: one line a finished job, with the share done and the time left.

The time left rests on what the run predicts of its jobs, a log record that carries a `forecast` (rules/hooks.smk), and on the
epochs that the logs of running trainings tell of. On a terminal the last line is rewritten every second and says which network is
at which epoch; elsewhere a line says so where no job finishes for a minute. Dry runs, warnings and errors are shown as Snakemake
shows them. Enabled by `logger: assay` in profiles/default.
"""

import logging
import os
import shutil
import sys
import threading
import time
from itertools import islice
from pathlib import Path

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

from assay.pipeline.progress import TARGET, Progress, epochs_in

WIDTH = 80
LOOK = 2.0  # seconds between two looks at the logs of trainings
MOST_LOGS = 32  # of running jobs that are looked at: on a cluster hundreds may run
CLEAR = "\r\x1b[K"  # back to the beginning of the line, which is emptied
QUIET = 60.0  # seconds without a line, after which one says what runs
SILENT = {
    LogEvent.JOB_STARTED,
    LogEvent.PROGRESS,
    LogEvent.RESOURCES_INFO,
    LogEvent.RULEGRAPH,
    LogEvent.SHELLCMD,
    LogEvent.WORKFLOW_STARTED,
}


def clock(seconds: float) -> str:
    """Minutes and seconds, with hours where there are any."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _fitted(text: str, width: int) -> str:
    """A text in at most so many columns; where letters are left out, in the middle, the ends tell more."""
    half = (width - 3) // 2
    return text if len(text) <= width else f"{text[: width - 3 - half]}...{text[-half:]}"


class LogHandler(LogHandlerBase):
    """Writes to stderr."""

    def __post_init__(self) -> None:
        self.progress = Progress()
        self.began = self.last = time.monotonic()
        self.total = self.done = 0
        self.messages: dict[int, str] = {}
        self.logs: dict[int, Path] = {}
        self.at: dict[int, str] = {}  # the last line of each running training on an epoch
        self.looked = self.began
        self.live = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self.shown = False  # whether there is something to be rewritten
        self.turn = threading.Lock()
        if not self.common_settings.dryrun:
            threading.Thread(target=self._keep_talking, daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        with self.turn:
            if getattr(record, "over", False):
                self._leave()
                return
            now = time.monotonic()
            self._print(self.line(record, now), now)

    def _leave(self) -> None:
        """Jobs were ended, which nobody reports: what others write now begins a line."""
        self.messages.clear()
        if self.shown:
            print(CLEAR, end="", file=sys.stderr, flush=True)
            self.shown = False

    def _print(self, text: str | None, now: float) -> None:
        if text:
            print(f"{CLEAR if self.shown else ''}{text}", file=sys.stderr, flush=True)
            self.last, self.shown = now, False

    def _keep_talking(self) -> None:
        while True:
            time.sleep(1)
            with self.turn:
                self._tick(time.monotonic())

    def _tick(self, now: float) -> None:
        """What happens every second: a terminal's last line is rewritten, elsewhere a minute's silence ends."""
        self._look(now)
        if not self.live:
            self._print(self.waiting(now), now)
        elif (line := self.status(now)) or self.shown:
            print(f"{CLEAR}{line}", end="", file=sys.stderr, flush=True)
            self.shown = bool(line)

    def line(self, record: logging.LogRecord, now: float) -> str | None:
        """What to print for a log record, None for nothing."""
        event = getattr(record, "event", None)
        if forecast := getattr(record, "forecast", None):
            self.progress = Progress(dict(forecast.jobs), forecast.cores)
            return record.getMessage()
        if event == LogEvent.JOB_ERROR:
            self._ended(getattr(record, "jobid", -1), now)
        if self.common_settings.dryrun or record.levelno >= logging.WARNING:
            return self.format(record)
        if event == LogEvent.RUN_INFO:
            self.total = record.stats["total"] - record.stats.get(TARGET, 0)
            return f"{self.total} job{'s' * (self.total != 1)} to run" if self.total else None
        if event == LogEvent.JOB_INFO:
            self.messages[record.jobid] = record.rule_msg or record.rule_name
            if log := next(iter(getattr(record, "log", None) or ()), None):
                self.logs[record.jobid] = Path(str(log))
            self.progress.start(record.jobid, now)
            return None
        if event == LogEvent.JOB_FINISHED:
            return self.finished(record.job_id, now)
        return None if event in SILENT or event is None else self.format(record)

    def finished(self, job: int, now: float) -> str | None:
        """The line for a finished job; none for the target, which does nothing."""
        message = self._ended(job, now)
        if message == TARGET:
            return None
        self.done = min(self.total, self.done + 1)
        return self._state(message, now)

    def _ended(self, job: int, now: float) -> str:
        self.progress.finish(job, now)
        for known in (self.logs, self.at):
            known.pop(job, None)
        return self.messages.pop(job, "")

    def _look(self, now: float) -> None:
        """See, now and then, how far the running trainings are."""
        if now - self.looked < LOOK:
            return
        self.looked = now
        jobs = self.progress.jobs
        running = (number for number in self.logs if number in jobs and jobs[number].epochs)
        for number in islice(running, MOST_LOGS):
            try:
                found = epochs_in(self.logs[number].read_text(encoding="utf-8", errors="replace"))
            except OSError:
                continue  # its job has not begun to write
            if found.last:
                self.at[number] = found.last
                self.progress.trained(number, found.done)

    def status(self, now: float) -> str:
        """The line that a terminal shows while jobs run; empty where none does."""
        if not self.messages:
            return ""
        columns = min(WIDTH, shutil.get_terminal_size().columns) - 1  # in the last one, terminals go on to the next line
        return self._state(self._running(), now, columns)

    def _running(self) -> str:
        """What runs: a training with its epoch before other jobs."""
        first = next(iter(self.at), None)
        text = next(iter(self.messages.values())) if first is None else self.at[first]
        others = len(self.messages) - 1
        return f"{text}{f' and {others} more' if others else ''}"

    def waiting(self, now: float) -> str | None:
        """After a minute without a line, one that says what runs."""
        if not self.messages or now - self.last < QUIET:
            return None
        return self._state(f"... {self._running()}", now)

    def _state(self, message: str, now: float, columns: int = WIDTH) -> str:
        left = self.progress.seconds_left(now)
        head = f"[{self.done:{len(str(self.total))}}/{self.total}] {clock(now - self.began):>6}  "
        remaining = f" about {clock(left)} left" if left is not None else ""
        width = columns - len(head) - len(remaining)
        return f"{head}{_fitted(message, width):<{width}}{remaining}".rstrip()

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
