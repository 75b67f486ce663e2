"""Before a run: files that are not as their jobs left them are set aside, and files dated in the future are dated now.

Snakemake sees that a file is there and when it changed, not that it was cut, emptied or replaced. What cannot be trusted is moved
to results/<scale>/set-aside/<time>/, never deleted, and Snakemake then makes it again. So is a whole folder of results that an
earlier version of assay laid out in another way. No torch here.
"""

import base64
import json
import os
import shutil
import time
from collections.abc import Iterable, Set
from dataclasses import dataclass
from pathlib import Path

from snakemake.persistence import MetadataRecord

from assay.errors import EvidenceError
from assay.storage.files import read_json, sha256
from assay.storage.receipts import Receipt

FINDINGS_SHOWN = 10
GONE = "is gone"
TRAINED_SINCE = "was trained again by another job"  # in a run of other studies: good weights, only the manifest is old


@dataclass(frozen=True)
class JobFiles:
    """Where one job writes: outputs are the files Snakemake knows, networks the weights and sidecars beside them."""

    outputs: tuple[Path, ...]
    networks: tuple[Path, ...]
    log: Path
    benchmark: Path


class Records:
    """What Snakemake noted in its state folder: outputs it has a record of making, and outputs it was stopped making.

    A record that cannot be read (`unreadable`: its file) crashes Snakemake, or makes it miss changes of code and parameters.
    """

    def __init__(self, state: Path):
        self.unreadable: list[Path] = []
        self.made = self._outputs(state / "metadata", _parse_record)
        self.stopped = self._outputs(state / "incomplete", json.loads)
        self.known = self.made | self.stopped

    def _outputs(self, folder: Path, parse) -> set[str]:
        """The outputs with a record in a folder. A record's path is its output's, in base64 and in pieces marked with @."""
        found = set()
        for path in folder.rglob("*"):
            if path.is_dir() and path.name.startswith("@"):
                continue
            try:
                parse(path.read_bytes())
                name = "".join(part.removeprefix("@") for part in path.relative_to(folder).parts)
                found.add(base64.urlsafe_b64decode(name).decode())
            except (OSError, ValueError, RecursionError):
                self.unreadable.append(path)
        return found


def _parse_record(text: bytes) -> None:
    if MetadataRecord.model_validate_json(text).params is None:
        raise ValueError("no record of parameters")


class Preflight:
    """The check of one results folder. With act=False nothing is changed, and `lines` tells what would be."""

    def __init__(self, results: Path, state: Path, act: bool = True):
        self.results, self.state, self.act = results, state, act
        self.aside = results / "set-aside" / time.strftime("%Y%m%d-%H%M%S")
        self.findings: list[str] = []
        self.moved: set[Path] = set()
        self.clear: set[Path] = set()

    @property
    def lines(self) -> list[str]:
        """What was found and done, to be shown."""
        more = len(self.findings) - FINDINGS_SHOWN
        lines = [*self.findings[:FINDINGS_SHOWN], *([f"... and {more} more like these"] if more > 0 else [])]
        if self.moved and self.act:
            lines.append(f"moved to {self.aside}, with what goes with it ({len(self.moved)} in all); made again now")
        elif self.moved:
            lines.append(f"a run will set this and what goes with it aside ({len(self.moved)} in all), and make it again")
        return lines

    def check(self, jobs: Iterable[JobFiles], sources: Iterable[Path]) -> None:
        """Check what jobs left in earlier runs, and the dates of that and of the sources."""
        if self._is_of_an_earlier_layout():
            self._set_all_aside()
            if not self.act:
                return
        jobs = list(jobs)
        self._date_now(list(sources), [path for job in jobs for path in (*job.outputs, *job.networks)])
        records = Records(self.state)
        for path in records.unreadable:
            self._set_aside(path, "cannot be read")
        for job in jobs:
            receipt = Receipt(job.log)
            self._clear_the_way([*job.outputs, *job.networks, *receipt.files, job.log, job.benchmark, receipt.path, receipt.lock])
            self._check_job(job, receipt, records)

    def _is_of_an_earlier_layout(self) -> bool:
        """Whether evidence lies here in one table a study, and none in blocks, beside which nobody reads such a table."""
        observations = self.results / "observations"
        return any(observations.glob("*/observations.csv")) and not any(observations.glob("*/*-*/"))

    def _set_all_aside(self) -> None:
        """Move all that results are made of; locks and marks, whose names begin with a dot, are of the run."""
        done = "are set aside" if self.act else "would be set aside by a run"
        self.findings.append(f"{self.results}: results of an earlier layout, which nothing reads, {done} in {self.aside}")
        if not self.act:
            return
        self.aside.mkdir(parents=True)
        for path in sorted(self.results.iterdir()):
            if path.name != "set-aside" and not path.name.startswith("."):
                shutil.move(path, self.aside / path.name)

    def _date_now(self, sources: list[Path], made: list[Path]) -> None:
        """Snakemake fails every job that has an input younger than the output it has just written, and does a job again whose
        output is not younger than its script: a file system may give one time to files that are written one after the other."""
        now = time.time()
        future = [(path, date) for paths, date in ((sources, now - 1), (made, now)) for path in paths if _is_younger(path, now)]
        for path, date in future if self.act else ():
            os.utime(path, (date, date))
        if future:
            others = f" and {len(future) - 1} more are" if len(future) > 1 else " is"
            self.findings.append(
                f"{future[0][0]}{others} dated in the future (was the clock set back?): {'' if self.act else 'to be '}dated now"
            )

    def _clear_the_way(self, paths: Iterable[Path]) -> None:
        """Only folders above a job's files, and only files in their places."""
        for path in paths:
            if os.path.isfile(path):
                continue
            self._clear_above(path.parent)
            self._set_aside(path, "is no file")

    def _clear_above(self, folder: Path) -> None:
        """A folder, and those above it, are folders or are not there; each is looked at once."""
        if folder == self.results or folder in self.clear:
            return
        self._clear_above(folder.parent)
        if os.path.lexists(folder) and not os.path.isdir(folder):
            self._set_aside(folder, "is no folder")
        self.clear.add(folder)

    def _check_job(self, job: JobFiles, receipt: Receipt, records: Records) -> None:
        """A job's outputs stand or fall together; a network falls alone, since training finds the others done."""
        # Snakemake removes what it was stopped making and makes it again.
        outputs = () if any(str(path) in records.stopped for path in job.outputs) else job.outputs
        made, networks, wrong = frozenset(job.outputs), frozenset(job.networks), {}
        for path in dict.fromkeys((*outputs, *job.networks, *receipt.files)):
            if reason := self._wrong(path, made, networks, receipt, records):
                wrong[path] = reason
        for path in wrong:
            if wrong[path] not in (GONE, TRAINED_SINCE):
                self._set_aside(path, wrong[path])
        if wrong:
            for path in outputs:
                self._set_aside(path)
        if not self.act:
            return
        if wrong:
            receipt.withdraw()
        elif outputs and not receipt.files:
            receipt.write([*outputs, *(path for path in job.networks if path.exists())])
        receipt.save_times()

    def _wrong(self, path: Path, made: Set[Path], networks: Set[Path], receipt: Receipt, records: Records) -> str | None:
        """Why a file cannot be trusted. made, networks: its job's outputs, and what lies beside them."""
        if path in self.moved or not path.is_file():
            return GONE if path in made or path in receipt.files else None
        if path in receipt.files and not receipt.holds(path):
            return TRAINED_SINCE if _vouched_for(path) else "is not as its job left it"
        if path in networks and path not in receipt.files and not _vouched_for(path):
            return "has no sidecar that vouches for it"
        if path in made and str(path) not in records.known:
            return "is not known to Snakemake"
        return None

    def _set_aside(self, path: Path, finding: str | None = None) -> None:
        if path in self.moved or not os.path.lexists(path):
            return
        self.moved.add(path)
        if finding:
            self.findings.append(f"{path} {finding}")
        if self.act:
            target = self.aside / path.relative_to(self.results if path.is_relative_to(self.results) else self.state.parent)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(path, target)


def _is_younger(path: Path, now: float) -> bool:
    return path.exists() and path.stat().st_mtime > now


def _vouched_for(path: Path) -> bool:
    """Whether a network's weights are those its sidecar names; for either of the two files."""
    try:
        return read_json(path.with_suffix(".json")).get("sha256") == sha256(path.with_suffix(".safetensors"))
    except (EvidenceError, OSError):
        return False
