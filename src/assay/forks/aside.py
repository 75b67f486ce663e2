"""When a job gets a process of its own: where a forked one would not work, or not count, as a process of its own does."""

import contextlib
import os
import sys
from pathlib import Path

from assay.forks.identity import THREADS, is_library_folder

LEAST_MEGABYTES = 2000  # available before a parent is asked for, which keeps some 400
GRAPHICS = ("/dev/nvidiactl", "/dev/nvidia0", "/dev/kfd", "/dev/dxg")
SHADOWS = ("torch", "timm", "torchvision", "numpy", "scipy", "skimage", "sklearn", "pandas", "matplotlib", "captum", "snakemake")


def own_process(device: str = "cpu", processes: int = 1) -> str:
    """Why a job on this device, of so many processes, gets a process of its own; empty where it can be forked."""
    if not sys.platform.startswith("linux") or not hasattr(os, "pidfd_open"):
        return "only Linux tells a client how another process's child ends"
    if "SLURM_JOB_ID" in os.environ:
        return "Slurm accounts for what is below its own processes"
    if processes > 1 or (device != "cpu" and any(map(os.path.exists, GRAPHICS))):
        return "CUDA does not survive a fork"
    first, *others = THREADS
    if os.environ.get(first) != "1" or any(os.environ.get(name, "1") != "1" for name in others):
        return "libraries are loaded for the number of threads that they compute with"
    if available_megabytes() < LEAST_MEGABYTES:
        return "there is little memory"
    if sys.gettrace() or sys.getprofile():
        return "somebody watches this process"
    return "other libraries or settings would be found here" if others_found() else ""


def others_found() -> bool:
    """Whether this process would import or configure other libraries than the parent, which sees the installed ones alone."""
    paths = [os.path.join(folder, name) for folder in sys.path if not is_library_folder(folder) for name in SHADOWS]
    return os.path.exists("matplotlibrc") or any(os.path.isdir(path) or os.path.exists(f"{path}.py") for path in paths)


def available_megabytes() -> float:
    """What this machine, or the control group that this process is in, has left."""
    fields = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    left = [int(fields["MemAvailable"].split()[0]) / 1024]
    group = Path("/sys/fs/cgroup", Path("/proc/self/cgroup").read_text().strip().rpartition("::")[2].lstrip("/"))
    with contextlib.suppress(OSError, ValueError):  # another version of control groups, or no limit
        left.append((int((group / "memory.max").read_text()) - int((group / "memory.current").read_text())) / 2**20)
    return min(left)
