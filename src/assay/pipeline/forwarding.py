"""Which jobs are forked from a process that holds their libraries, and which pay for a process of their own."""

import contextlib
import os
import sys
from pathlib import Path
from typing import Any

from assay.forks.client import fork

MARK = "assay_forked"  # the module that a forked child has of its parent
LEAST_MEGABYTES = 2000  # available before a parent is asked for, which keeps some 400
GRAPHICS = ("/dev/nvidiactl", "/dev/nvidia0", "/dev/kfd", "/dev/dxg")
SHADOWS = ("torch", "timm", "torchvision", "numpy", "scipy", "skimage", "sklearn", "pandas", "matplotlib", "captum", "snakemake")


def forward(snakemake: Any, start: bool = True) -> None:
    """Run the calling script in a forked child and end as that ends. Returns in the child, and where there is to be none.

    A script calls this before it imports what costs. start: whether to start a parent where there is none; jobs that need no
    torch use one that is there.
    """
    if MARK in sys.modules or own_process(snakemake):
        return
    script = sys.modules["__main__"].__dict__.get("__real_file__", sys.argv[0])  # Snakemake says the original's in `__file__`
    sys.stdout.flush()
    if child := fork({"path": script}, start):
        child.end_likewise()


def own_process(snakemake: Any) -> str:
    """Why this job gets a process of its own; empty where it can be forked."""
    if not sys.platform.startswith("linux") or not hasattr(os, "pidfd_open"):
        return "only Linux tells a client how another process's child ends"
    if "SLURM_JOB_ID" in os.environ:
        return "Slurm accounts for what is below its own processes"
    if snakemake.threads != 1:
        return "libraries are loaded for the number of threads that they compute with"
    device = snakemake.params.get("device", "cpu")
    if snakemake.resources.get("gpu", 0) > 1 or (device != "cpu" and any(map(os.path.exists, GRAPHICS))):
        return "CUDA does not survive a fork"
    if available_megabytes() < LEAST_MEGABYTES:
        return "there is little memory"
    if sys.gettrace() or sys.getprofile():
        return "somebody watches this process"
    return "other libraries would be found here" if others_found() else ""


def others_found() -> bool:
    """Whether this process would import or configure other libraries than the parent, which sees the installed ones alone."""
    local = [folder for folder in sys.path if os.path.basename(folder) not in ("site-packages", "dist-packages")]
    paths = [os.path.join(folder, name) for folder in local for name in SHADOWS]
    shadowed = any(os.path.isdir(path) or os.path.exists(f"{path}.py") for path in paths)
    return shadowed or os.path.exists("matplotlibrc")


def available_megabytes() -> float:
    """What this machine, or the control group that this process is in, has left."""
    fields = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    left = [int(fields["MemAvailable"].split()[0]) / 1024]
    group = Path("/sys/fs/cgroup", Path("/proc/self/cgroup").read_text().strip().rpartition("::")[2].lstrip("/"))
    with contextlib.suppress(OSError, ValueError):  # another version of control groups, or no limit
        left.append((int((group / "memory.max").read_text()) - int((group / "memory.current").read_text())) / 2**20)
    return min(left)
