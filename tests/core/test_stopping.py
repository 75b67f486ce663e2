"""A run that is asked to stop: noted, and handled as before."""

import logging
import signal
import subprocess
import sys

import pytest

from assay.pipeline.stopping import Stop


@pytest.fixture
def handled():
    """Signals that reached the earlier handler; afterwards all handlers are as they were."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    seen = []
    signal.signal(signal.SIGTERM, lambda number, frame: seen.append(number))
    yield seen
    for number, handler in before.items():
        signal.signal(number, handler)


def test_the_first_signal_is_noted_and_each_reaches_who_handled_it(handled):
    stop = Stop()
    failure, line = (logging.LogRecord("snakemake", level, "", 0, "a job", (), None) for level in (logging.ERROR, logging.INFO))
    assert stop.line == ""
    assert stop.lets_through(failure)
    stop.watch()
    signal.raise_signal(signal.SIGTERM)
    assert stop.lets_through(line)
    assert not stop.lets_through(failure)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    assert handled == [signal.SIGTERM]
    assert stop.line == "stopped by SIGTERM: what was finished stays, and the same command goes on from there"


def test_what_is_ignored_stays_so_and_what_ends_a_process_still_does():
    code = (
        "import signal, sys\nfrom assay.pipeline.stopping import Stop\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nsignal.signal(signal.SIGHUP, signal.SIG_DFL)\n"
        "stop = Stop()\nstop.watch()\nsignal.raise_signal(signal.SIGTERM)\nprint(repr(stop.line), flush=True)\n"
        "signal.raise_signal(signal.SIGHUP)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("''\n", -signal.SIGHUP)


@pytest.mark.parametrize(("error", "shown"), [("KeyboardInterrupt", False), ("RuntimeError('no')", True)])
def test_a_job_says_where_it_failed_and_not_where_it_was_stopped(error, shown):
    code = f"from assay.pipeline.stopping import end_without_traceback\nend_without_traceback()\nraise {error}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == (1 if shown else -signal.SIGINT)
    assert ("Traceback" in done.stderr) == shown
