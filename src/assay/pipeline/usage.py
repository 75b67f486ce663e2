"""What a job used, as the job itself counts it, for its benchmark file.

Snakemake looks at the processes below its own every half second, later every half minute, and so misses what they use after the
last look, what their children used that have ended, and all of a child that was forked elsewhere. The kernel counts all of it.
"""

import json
import resource
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from assay.errors import EvidenceError
from assay.storage.files import read_json, write_atomic

MEGABYTE = 2**20


def usage_file(log: Path) -> Path:
    """Where a job leaves what it used until its benchmark file is written."""
    return log.with_suffix(".usage.json")


def note_usage(log: Path, spent: float = 0.0) -> None:
    """Note what this process and its children used so far, and what a process that stands for this one `spent` before."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = spent + sum(each.ru_utime + each.ru_stime for each in (own, children))
    write_atomic(usage_file(log), json.dumps({"cpu_time": seconds, **_memory(), **_transfers()}))


def _memory() -> dict[str, float]:
    """The most memory this process had, in MB: with what it shares counted whole, in proportion, or not at all."""
    status, now = _fields("/proc/self/status"), _fields("/proc/self/smaps_rollup")
    if not status or not now:
        return {}
    # What was given back since the peak was this process's own: what it shares stays mapped.
    given_back = status["VmHWM"] - status["VmRSS"]
    alone = now["Private_Clean"] + now["Private_Dirty"]
    found = {"rss": status["VmHWM"], "vms": status["VmPeak"], "uss": alone + given_back, "pss": now["Pss"] + given_back}
    return {f"max_{name}": kilobytes / 1024 for name, kilobytes in found.items()}


def _transfers() -> dict[str, float]:
    found = _fields("/proc/self/io")
    return {f"io_{way}": found[f"{name}_bytes"] / MEGABYTE for way, name in (("in", "read"), ("out", "write")) if found}


def _fields(path: str) -> dict[str, int]:
    """The numbers of a file of the kernel's, by name; none where this system has no such file or does not show it."""
    try:
        rows = [line.partition(":") for line in Path(path).read_text().splitlines()]
    except OSError:
        return {}
    return {name: int(value.split()[0]) for name, _, value in rows if value.split()[:1] and value.split()[0].isdigit()}


def count_whole(records: Sequence[Any], benchmark: Path) -> None:
    """Put what the job noted into Snakemake's records of it, where that is more than Snakemake saw."""
    parts = benchmark.parts
    place = len(parts) - 1 - parts[::-1].index("benchmarks")
    note = usage_file(Path(*parts[:place], "logs", *parts[place + 1 :]))
    try:
        noted = read_json(note)
    except EvidenceError:
        return
    note.unlink()
    for record in records:
        for name, value in noted.items():
            setattr(record, name, max(value, getattr(record, name) or 0))
        record.cpu_usage, record.data_collected = 100 * record.cpu_time, True  # in percent of a processor, over the seconds


def watch(benchmark: Any) -> None:
    """Have Snakemake's module `snakemake.benchmark` write what jobs noted."""
    if getattr(benchmark.write_benchmark_records, "whole", False):
        return
    write = benchmark.write_benchmark_records

    def write_whole(records: Sequence[Any], path: str, extended: bool) -> None:
        count_whole(records, Path(path))
        write(records, path, extended)

    write_whole.whole = True
    benchmark.write_benchmark_records = write_whole
