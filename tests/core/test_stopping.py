"""A run that is asked to stop: noted, and handled as before."""

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
    assert stop.line == ""
    stop.watch()
    signal.raise_signal(signal.SIGTERM)
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
