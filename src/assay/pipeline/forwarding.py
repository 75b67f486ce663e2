"""Jobs of a run that are forked from a process that holds their libraries (see assay.forks)."""

import sys
import time
from typing import Any

from assay.forks.aside import own_process
from assay.forks.client import fork
from assay.forks.parent import MARK
from assay.pipeline.stopping import end_without_traceback


def forward(snakemake: Any, start: bool = True) -> None:
    """Run the calling script in a forked child and end as that ends. Returns in the child, and where there is to be none.

    A script calls this before it imports what costs. start: whether to start a parent where there is none; jobs that need no
    torch use one that is there.
    """
    end_without_traceback()
    if MARK in sys.modules or own_process(snakemake.params.get("device", "cpu"), snakemake.resources.get("gpu", 0)):
        return
    script = sys.modules["__main__"].__dict__.get("__real_file__", sys.argv[0])  # Snakemake says the original's in `__file__`
    if child := fork({"path": script, "spent": time.process_time()}, start):
        child.end_likewise()


def spent_before() -> float:
    """Seconds of processor time that the client of this job spent before the job began."""
    return sys.modules[MARK].spent if MARK in sys.modules else 0.0
