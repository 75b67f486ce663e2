"""Receipts: what each job left, so that a later run tells its own unharmed files from all others. No torch here.

results/<scale>/receipts/<rule>/<job>.json    sha256, size and time of every file of one job, by path below results/<scale>
results/<scale>/receipts/<rule>/<job>.lock    held while the job runs

A receipt is withdrawn when its job starts and written when it ends, so a job that was killed has none.
"""

import contextlib
import fcntl
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from assay.errors import EvidenceError
from assay.storage.files import read_json, sha256, write_atomic


class Receipt:
    """The receipt of the job that logs to results/<scale>/logs/<rule>/<job>.log; empty if there is none that can be read."""

    def __init__(self, log: Path):
        self.results = next(parent.parent for parent in log.parents if parent.name == "logs")
        self.path = self.results / "receipts" / log.relative_to(self.results / "logs").with_suffix(".json")
        self.lock = self.path.with_suffix(".lock")
        try:
            self.files = {self.results / name: entry for name, entry in read_json(self.path).items() if _is_entry(name, entry)}
        except EvidenceError:
            self.files = {}
        self._renewed = False

    def write(self, files: Iterable[Path]) -> None:
        """Note what those of the files that lie in the results folder are now; data sets outside it have markers of their own."""
        self.files = {path: _entry(path) for path in sorted(set(files)) if path.is_relative_to(self.results)}
        self._save()

    def withdraw(self) -> None:
        """Vouch for nothing: the files are about to change."""
        self.files = {}
        self.path.unlink(missing_ok=True)

    def holds(self, path: Path) -> bool:
        """Whether the file is as its job left it. Its bytes are read only if its time is another, which is then noted."""
        entry, status = self.files[path], path.stat()
        if status.st_mtime_ns == entry["mtime_ns"] and status.st_size == entry["size"]:
            return True
        if status.st_size != entry["size"] or sha256(path) != entry["sha256"]:
            return False
        entry["mtime_ns"] = status.st_mtime_ns
        self._renewed = True
        return True

    def save_times(self) -> None:
        """Keep the times that `holds` noted, so that no later run reads the same bytes again."""
        if self._renewed:
            self._save()

    def _save(self) -> None:
        entries = {str(path.relative_to(self.results)): entry for path, entry in self.files.items()}
        write_atomic(self.path, json.dumps(entries, indent=1))


@contextlib.contextmanager
def receipt_of_job(log: Path) -> Iterator[Receipt]:
    """The receipt of a job that is about to run, withdrawn, and held so that no other process does the same job meanwhile.

    Waits for one that outlived its killed parent. The kernel lets go of the lock when the process ends, however it ends.
    """
    receipt = Receipt(log)
    receipt.path.parent.mkdir(parents=True, exist_ok=True)
    with open(receipt.lock, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        receipt.withdraw()
        yield receipt


def networks_listed(manifest: Path) -> list[Path]:
    """The weights and sidecars that a training's manifest lists."""
    networks = read_json(manifest)["networks"]
    weights = [manifest.parent / name / f"seed-{seed}.safetensors" for name, seeds in networks.items() for seed in seeds]
    return [path.with_suffix(suffix) for path in weights for suffix in (".safetensors", ".json")]


def _is_entry(name: str, entry: Any) -> bool:
    """Whether this can be a line of a receipt: its path stays in the results folder."""
    inside = not Path(name).is_absolute() and ".." not in Path(name).parts
    return inside and isinstance(entry, dict) and entry.keys() == {"sha256", "size", "mtime_ns"}


def _entry(path: Path) -> dict:
    status = path.stat()
    return {"sha256": sha256(path), "size": status.st_size, "mtime_ns": status.st_mtime_ns}
