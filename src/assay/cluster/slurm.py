"""Slurm jobs of one results folder: named so that the next run finds those that outlived their main process, and ends them."""

import getpass
import hashlib
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from assay.errors import AssayError

LONGEST_GRACE_SECONDS = 3600
POLL_SECONDS = 1
REMIND_EVERY_POLLS = 60


class ClusterError(AssayError):
    """Slurm does not do what it was asked to."""


def job_prefix(results: Path) -> str:
    """What the names of this folder's jobs begin with. It follows from the absolute path, so that two checkouts, or two scales
    of one, never take each other's jobs for their own."""
    return f"assay-{hashlib.sha256(str(Path(results).resolve()).encode()).hexdigest()[:12]}"


def ask(*command: str) -> str:
    """A Slurm command's output. ClusterError with what it said if it fails or is not there."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise ClusterError(f"{command[0]}: not found; load the site's Slurm module or work on a login node") from None
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}").splitlines()[0]
        raise ClusterError(f"{command[0]}: {said}")
    return done.stdout


def living_jobs(prefix: str) -> list[str]:
    """Ids of the caller's jobs whose names begin with the prefix and that wait, run, or are being ended."""
    rows = [row.split() for row in ask("squeue", "--noheader", "--user", getpass.getuser(), "--format", "%i %j").splitlines()]
    return [job for job, name in rows if name.startswith(prefix)]


def end_earlier_jobs(prefix: str, say: Callable[[str], None]) -> None:
    """Cancel what an earlier run left behind and wait until Slurm has ended it, so that no two jobs write one output."""
    left = living_jobs(prefix)
    if not left:
        return
    say(f"ending {len(left)} Slurm {'job' if len(left) == 1 else 'jobs'} of an earlier run: {' '.join(left)}")
    ask("scancel", *left)
    polls = 0
    while left := living_jobs(prefix):
        polls += 1
        if polls % REMIND_EVERY_POLLS == 0:
            say(f"waiting for Slurm to end {' '.join(left)}; if their node is lost, ask the site to clear it")
        time.sleep(POLL_SECONDS)


def wait_to_be_ended() -> None:
    """Stay until the scheduler ends this job: it sends back into the queue what it had to end, while a job that preemption made
    end by itself has failed. Returns where the end does not come."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(LONGEST_GRACE_SECONDS)
