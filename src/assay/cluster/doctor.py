"""Whether this machine and this site can run the studies: checked before the first submission, each problem with its remedy."""

import contextlib
import fcntl
import getpass
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from assay.cluster.slurm import ask
from assay.errors import AssayError, StudyError, unknown
from assay.language.inputs import parse, read_yaml
from assay.storage.places import WORK

SITE = Path("slurm/site.yaml")
COMMANDS = ("sinfo", "squeue", "sbatch", "srun", "scontrol", "scancel")
FREE_GB = 5
MEMORY_GB = 4
SKEW_SECONDS = 5
PATIENCE_SECONDS = 120
ENVIRONMENT = ("assay", "snakemake", "torch")
LONGEST_STATUS_PAUSE_SECONDS = 180

# Runs in another process, or on a compute node: sees the file written here, locks it as trainings do, imports modules, says its
# clock.
PROBE = """
import fcntl, json, sys, time
for name in sys.argv[3:]:
    __import__(name)
said = {"sees": open(sys.argv[1]).read() == sys.argv[2], "locks": "free"}
try:
    fcntl.flock(open(sys.argv[1], "r+"), fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    said["locks"] = "held"
except OSError as error:
    said["locks"] = str(error)
print(json.dumps({**said, "clock": time.time()}))
"""


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's: what was looked at, what was seen, and, where that is a problem, what to do."""

    what: str
    seen: str
    remedy: str = ""

    @property
    def ok(self) -> bool:
        return not self.remedy


class PartitionLimits(BaseModel):
    """A partition as slurm/site.yaml describes it to the executor, which knows more limits than are checked here."""

    model_config = ConfigDict(extra="allow", frozen=True)

    max_runtime: float = Field(gt=0, description="minutes a job may run")
    max_threads: int = Field(gt=0, description="cores of one node that a job may use")
    max_mem_mb: int = Field(gt=0, description="memory of one node that a job may use")
    max_gpu: int = Field(ge=0, description="GPUs of one node that a job may use")
    available_gpu_models: list[str] | None = None


class Site(BaseModel):
    """The keys of slurm/site.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    account: str | None = None
    gpu_model: str | None = None
    partitions: dict[str, PartitionLimits] = Field(description="the partitions that jobs may be sent to")


def examine(root: Path = WORK) -> Iterator[Finding]:
    """Check this machine, then the cluster if there is one."""
    yield from (free_space(root), home(), room(), file_times(root), locks(root))
    missing = [name for name in COMMANDS if shutil.which(name) is None]
    if len(missing) == len(COMMANDS):
        yield Finding("Slurm", "not on this machine; only what is local was checked")
        return
    if missing:
        yield Finding("Slurm", f"{', '.join(missing)} not found", "load the site's Slurm module or work on a login node")
        return
    alive = guarded("Slurm", answers)
    yield alive
    if not alive.ok:
        return
    yield accounting()
    yield guarded("memory of squeue", status_memory)
    try:
        site = parse(Site, read_yaml(root / SITE), root / SITE)
    except StudyError as error:
        yield Finding("site", str(error), f"correct {SITE}")
        return
    yield guarded("account", lambda: account(site))
    yield from partitions(site)
    yield from on_a_node(root, site)


def guarded(what: str, check: Callable[[], Finding]) -> Finding:
    """A check's finding, or that Slurm did not answer."""
    try:
        return check()
    except AssayError as error:
        return Finding(what, str(error), "ask the site whether Slurm is down; then: assay doctor")


# This machine


def free_space(root: Path) -> Finding:
    results = root / "results"
    folder = results if results.exists() else root
    free = shutil.disk_usage(folder).free / 1e9
    seen = f"{free:.0f} GB free in {'results' if results.exists() else 'this folder'}"
    remedy = f"make room (at least {FREE_GB} GB), or make results a link to a folder that has it: ln -s /scratch/me results"
    return Finding("space", seen, "" if free >= FREE_GB else remedy)


def home() -> Finding:
    """Whether Snakemake and DVC can keep their caches where they do by default."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    remedy = "it cannot be written: export XDG_CACHE_HOME=/scratch/me/cache, a folder that nodes see too"
    try:
        with tempfile.TemporaryDirectory(dir=nearest):  # rights alone do not tell: root has all, on read-only disks, too
            return Finding("caches", f"in {folder}", "")
    except OSError:
        return Finding("caches", f"in {folder}", remedy)


def room() -> Finding:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    seen = f"{os.cpu_count()} cores and {memory:.0f} GB of memory here"
    return Finding("machine", seen, "" if memory >= MEMORY_GB else f"use a machine with at least {MEMORY_GB} GB of memory")


def file_times(root: Path) -> Finding:
    """A file from the future makes Snakemake throw away what a job wrote."""
    folders = [root / name for name in ("config", "data", "rules", "src", "workflow") if (root / name).exists()]
    ahead = [path for folder in folders for path in folder.rglob("*") if path.stat().st_mtime > time.time() + SKEW_SECONDS]
    if not ahead:
        return Finding("file times", "no file is from the future")
    names = ", ".join(str(path.relative_to(root)) for path in ahead[:3])
    return Finding("file times", f"{len(ahead)} files are from the future: {names}", "set the clock right, then touch them")


def locks(root: Path) -> Finding:
    """Whether two processes here exclude each other by a lock in results."""
    with held_file(root) as path:
        said = json.loads(subprocess.run(probe(path), capture_output=True, text=True, check=True, cwd=root).stdout)
    return lock_finding("locks here", said)


# The cluster


def answers() -> Finding:
    nodes = [row.split() for row in ask("sinfo", "--noheader", "--Node", "--format", "%N %t").splitlines()]
    ask("squeue", "--noheader", "--user", getpass.getuser())
    up = {name for name, state in nodes if not state.startswith(("down", "drain", "fail", "unk")) and not state.endswith("*")}
    seen = f"{len(up)} of {len({name for name, _ in nodes})} nodes are up"
    return Finding("Slurm", seen, "" if up else "wait for the site to bring nodes up (sinfo -R says why they are down)")


def accounting() -> Finding:
    """sacct is a comfort: the efficiency report needs it, runs do not."""
    try:
        ask("sacct", "--noheader", "-X", "--format", "JobID")
    except AssayError:
        return Finding("accounting", "sacct does not answer: no efficiency report; runs ask squeue and need nothing else")
    return Finding("accounting", "sacct answers: the efficiency report will be written")


def status_memory() -> Finding:
    """How long squeue remembers a job that has ended; the executor may pause longer between two questions."""
    found = re.search(r"^MinJobAge\s*=\s*(\d+)", ask("scontrol", "show", "config"), re.M)
    age = int(found[1]) if found else 0
    seen = f"squeue remembers ended jobs for {age} s"
    remedy = f"in slurm/config.yaml set slurm-status-command: sacct, since the pauses grow to {LONGEST_STATUS_PAUSE_SECONDS} s"
    return Finding("memory of squeue", seen, "" if age > LONGEST_STATUS_PAUSE_SECONDS else remedy)


def account(site: Site) -> Finding:
    user = getpass.getuser()
    listed = ask("sacctmgr", "--noheader", "--parsable2", "show", "associations", f"user={user}", "format=account")
    accounts = sorted(set(listed.split()))
    if site.account is None:
        return Finding("account", f"Slurm's default for {user} ({', '.join(accounts) or 'none listed'})")
    if accounts and site.account not in accounts:
        return Finding("account", unknown("account", site.account, accounts), f"set account in {SITE}")
    return Finding("account", site.account)


def partitions(site: Site) -> Iterator[Finding]:
    """Each partition of the site file: it exists, is up, and allows what the file promises."""
    try:
        shown = show_partitions()
        gpus = gpus_of_nodes()
    except AssayError as error:
        yield Finding("partitions", str(error), "ask the site whether Slurm is down; then: assay doctor")
        return
    for name, limits in site.partitions.items():
        what = f"partition {name}"
        if name not in shown:
            yield Finding(what, unknown("partition", name, shown), f"correct partitions in {SITE}")
            continue
        problems = [*above_limits(limits, shown[name]), *missing_gpus(limits, gpus.get(name, {}))]
        if shown[name]["State"] != "UP":
            problems.append(f"is {shown[name]['State']}")
        fits = (
            f"up, {limits.max_runtime:.0f} min, {limits.max_threads} cores, {limits.max_mem_mb} MB, {limits.max_gpu} GPUs a job"
        )
        yield Finding(what, "; ".join(problems) or fits, f"correct it in {SITE}" if problems else "")
    models = {model for found in gpus.values() for model in found}
    if site.gpu_model and site.gpu_model not in models:
        yield Finding("GPU model", unknown("GPU model", site.gpu_model, models), f"set gpu_model in {SITE}")


def show_partitions() -> dict[str, dict[str, str]]:
    """`scontrol show partition` by name."""
    blocks = [dict(item.split("=", 1) for item in line.split() if "=" in item) for line in one_lines("partition")]
    return {block["PartitionName"]: block for block in blocks}


def one_lines(what: str) -> list[str]:
    return [line for line in ask("scontrol", "--oneliner", "show", what).splitlines() if "=" in line]


def gpus_of_nodes() -> dict[str, dict[str, int]]:
    """Most GPUs of one node, by partition and model ("" where the site names none)."""
    found: dict[str, dict[str, int]] = {}
    for row in ask("sinfo", "--noheader", "--Node", "--format", "%R %G").splitlines():
        partition, declared = row.split(maxsplit=1)
        models = found.setdefault(partition, {})
        for model, count in re.findall(r"gpu:(?:([^:,()]+):)?(\d+)", declared):
            models[model] = max(models.get(model, 0), int(count))
    return found


def above_limits(limits: PartitionLimits, shown: dict[str, str]) -> Iterator[str]:
    """What the file allows and the partition does not; a job between the two waits forever."""
    longest = minutes(shown["MaxTime"])
    if limits.max_runtime > longest:
        yield f"max_runtime {limits.max_runtime:.0f} is above the partition's {longest:.0f} minutes: such jobs wait forever"
    nodes = max(1, int(shown["TotalNodes"]))
    if limits.max_threads > int(shown["TotalCPUs"]) // nodes:
        yield f"max_threads {limits.max_threads} is above a node's {int(shown['TotalCPUs']) // nodes} cores"
    memory = re.search(r"mem=(\d+)([MGT])", shown.get("TRES", ""))
    if memory:
        a_node = int(memory[1]) * {"M": 1, "G": 1024, "T": 1024**2}[memory[2]] // nodes
        if limits.max_mem_mb > a_node:
            yield f"max_mem_mb {limits.max_mem_mb} is above a node's {a_node} MB"


def missing_gpus(limits: PartitionLimits, models: dict[str, int]) -> Iterator[str]:
    if limits.max_gpu > max(models.values(), default=0):
        yield f"max_gpu {limits.max_gpu}, but its nodes declare {max(models.values(), default=0)} GPUs (sinfo -o '%P %G')"
    for model in limits.available_gpu_models or ():
        if limits.max_gpu and model not in models:
            yield unknown("GPU model", model, models)


def minutes(text: str) -> float:
    """Slurm's [days-]hours:minutes:seconds in minutes."""
    if text in ("UNLIMITED", "INFINITE"):
        return float("inf")
    days, _, rest = text.rpartition("-")
    hours, minute, second = map(int, rest.split(":"))
    return int(days or 0) * 1440 + hours * 60 + minute + second / 60


def on_a_node(root: Path, site: Site) -> Iterator[Finding]:
    """What a tiny job finds in the first partition: this folder, this environment, locks, and the time."""
    partition = next(iter(site.partitions))
    options = [f"--partition={partition}", f"--immediate={PATIENCE_SECONDS}", "--time=2", "--ntasks=1", f"--chdir={root}"]
    options += [f"--account={site.account}"] if site.account else []
    before = time.time()
    with held_file(root) as path:
        try:
            said = json.loads(ask("srun", *options, *probe(path), *ENVIRONMENT).splitlines()[-1])
        except (AssayError, json.JSONDecodeError) as error:
            remedy = f"nodes must be free and see this folder and its .venv; try: srun -p {partition} {sys.executable} -V"
            yield Finding("a job", str(error), remedy)
            return
    yield Finding("a job", f"ran in partition {partition}, with this Python environment")
    shared = "" if said["sees"] else "move this folder to a file system that nodes share"
    yield Finding("shared files", "a node sees what is written here" if said["sees"] else "a node sees other bytes", shared)
    yield lock_finding("locks between machines", said)
    skew = max(said["clock"] - time.time(), before - said["clock"], 0)
    late = "ask the site to synchronise clocks: Snakemake takes files from the future for damaged"
    yield Finding("clocks", f"at most {skew:.0f} s apart" if skew else "agree", late if skew > SKEW_SECONDS else "")


# The probe


@contextlib.contextmanager
def held_file(root: Path) -> Iterator[Path]:
    """A file in results that this process has locked, for another to look at."""
    path = root / "results" / f".doctor-{uuid.uuid4().hex}"
    path.parent.mkdir(exist_ok=True)
    path.write_text(path.name)
    try:
        with open(path, "r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield path
    finally:
        path.unlink()


def probe(path: Path) -> list[str]:
    return [sys.executable, "-c", PROBE, str(path), path.name]


def lock_finding(what: str, said: dict) -> Finding:
    if said["locks"] == "held":
        return Finding(what, "work")
    seen = "a lock held here is not seen there" if said["locks"] == "free" else said["locks"]
    return Finding(what, seen, "mount results with NFS 4 (no `nolock`, no `local_lock`), or work on another file system")


def as_rows(findings: list[Finding]) -> list[dict]:
    """For --json."""
    return [{**asdict(finding), "ok": finding.ok} for finding in findings]
