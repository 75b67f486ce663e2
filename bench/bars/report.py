"""What a report from archived evidence costs, in core-seconds of all descendants, as the number of studies grows.

usage: python bench/bars/report.py [--large]

Copies of this checkout with 40 and 160 studies (764 with --large), whose evidence is archived and fresh, are run cold, then once
more after one study's evidence changed. An earlier commit at 40 studies runs beside them. Prints its bars as JSON.
"""

import argparse
import ctypes
import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))

from copies import SCALE, copies, environment  # noqa: E402

from assay.artifacts.entries import read_entries, write_entries  # noqa: E402

BEFORE = "e9ab238"  # the commit before reports were made to grow
SMALL, MIDDLE, LARGE = 40, 160, 764
ADOPT = 36  # PR_SET_CHILD_SUBREAPER: what outlives its parent becomes our child, so its time is counted
COMMAND = ("-m", "snakemake", "--cores", "2", "--quiet", "all", "--config", "recheck=0")


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def adopt() -> None:
    """Make what outlives its parent, as the process that jobs are forked from, a child of this process."""
    ctypes.CDLL(None).prctl(ADOPT, 1, 0, 0, 0)


def core_seconds(tree: Path, command: Sequence[str] = COMMAND) -> float:
    """What a run in the tree takes, with all that it starts; what is left running after it is ended and counted (see `adopt`)."""
    before = _used()
    subprocess.run([sys.executable, *command], cwd=tree, env=_apart(tree), check=True, stdout=subprocess.DEVNULL)
    while left := Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
        for process in map(int, left):
            os.kill(process, signal.SIGTERM)
            os.waitpid(process, 0)
    return _used() - before


def _used() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _apart(tree: Path) -> dict[str, str]:
    """The copy's own environment: whatever a run leaves running for later ones, it finds none of anybody else's."""
    own = tree.parent / "run"
    own.mkdir(exist_ok=True)
    return environment(tree) | {"TMPDIR": str(own), "XDG_RUNTIME_DIR": str(own)}


def change_one(tree: Path) -> str:
    """Another number in the evidence of one study, which stays as fresh as it was; its key in the archive."""
    entry = next(e for e in reversed(list(read_entries(tree).values())) if e.study and e.scale == SCALE)
    folder = tree / entry.folder
    head, first, *rest = (folder / "observations.csv").read_text().splitlines(keepends=True)
    stem, _, value = first.rstrip("\n").rpartition(",")
    text = "".join([head, f"{stem},{float(value) * 1.001!r}\n", *rest])
    (folder / "observations.csv").write_text(text)
    said = json.loads((folder / "provenance.json").read_text()) | {"sha256": hashlib.sha256(text.encode()).hexdigest()}
    (folder / "provenance.json").write_text(json.dumps(said, indent=1, sort_keys=True))
    files = {name: _stored(folder / name, file) for name, file in entry.files.items()}
    write_entries({entry.key: entry.model_copy(update={"files": files})}, tree)
    return entry.key


def _stored(path: Path, file):
    content = path.read_bytes()
    sums = {"md5": hashlib.md5(content).hexdigest(), "sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
    return file.model_copy(update=sums)


def earlier(tree: Path) -> None:
    """The checkout as it was before, with the same evidence in its archive."""
    subprocess.run(["git", "clone", "--quiet", "--shared", str(ROOT), str(tree)], check=True)
    subprocess.run(["git", "checkout", "--quiet", BEFORE], cwd=tree, check=True)
    pull = [sys.executable, "-m", "assay.cli", "pull", "archive"]
    subprocess.run(pull, cwd=tree, env=environment(tree), check=True, stdout=subprocess.DEVNULL)


def measured(folder: Path, large: bool) -> dict[str, float]:
    """Core-seconds of each run, by what it was."""
    found: dict[str, float] = {}

    def note(what: str, tree: Path) -> None:
        found[what] = round(core_seconds(tree), 1)
        say(f"{what}: {found[what]} core-s")

    earlier(folder / "before")
    note(f"{SMALL} studies before", folder / "before")
    for count in (SMALL, MIDDLE, *([LARGE] if large else [])):
        copies(folder / str(count), count)
        note(f"{count} studies", folder / str(count))
        if count != LARGE:
            change_one(folder / str(count))
            note(f"one changed of {count}", folder / str(count))
    return found


def bars(found: Mapping[str, float]) -> list[dict]:
    """The bars of what was measured."""
    small, middle = found[f"{SMALL} studies"], found[f"{MIDDLE} studies"]
    made = [
        _bar(
            "report of 160 studies against 40", middle / small, 2.5, "core-seconds of a cold run at 160 over those at 40", found
        ),
        _bar(
            "one changed study at 160 against 40",
            found[f"one changed of {MIDDLE}"] / found[f"one changed of {SMALL}"],
            1.5,
            "core-seconds of a run after the evidence of one study changed, at 160 over those at 40",
            found,
        ),
    ]
    if whole := found.get(f"{LARGE} studies"):
        predicted = found[f"{SMALL} studies before"] / SMALL * LARGE
        how = f"core-seconds of a cold run over what commit {BEFORE} takes for each of 40 studies, times 764"
        made.append(_bar("report of 764 studies against what its cost per study predicted", whole / predicted, 0.3, how, found))
    return made


def _bar(name: str, value: float, limit: float, how: str, found: Mapping[str, float]) -> dict:
    return {
        "name": name,
        "value": round(value, 3),
        "limit": limit,
        "sense": "at most",
        "measured": dict(found),
        "unit": "core-s",
        "how": how,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--large", action="store_true", help="764 studies as well")
    asked = parser.parse_args()
    adopt()
    with tempfile.TemporaryDirectory(prefix="assay-bars-") as name:
        print(json.dumps(bars(measured(Path(name), asked.large)), indent=1))
