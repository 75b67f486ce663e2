"""Running a request: Snakemake on its workflow; where a job fails, the pages of what was measured all the same."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from assay.errors import StudyError
from assay.scorecard.pages import write_pages
from assay.scorecard.request import Request
from assay.storage.places import PROJECT, WORK

WORKFLOW = PROJECT / "rules" / "scorecard.smk"


def minutes_of(written: str | None) -> float | None:
    """Minutes as people write them: 5, 5min, 90s, 2h. StudyError for anything else."""
    if written is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|sec|min|m|h)?", written.strip())
    if not found or float(found[1]) == 0:
        raise StudyError(f"--budget: '{written}' is no time; write it as 5min, 90s or 2h")
    return float(found[1]) * {"s": 1 / 60, "sec": 1 / 60, "h": 60}.get(found[2] or "min", 1)


def numbers_of(written: str | None) -> tuple[float, ...] | None:
    """Numbers with commas between; StudyError for anything else."""
    try:
        return tuple(float(part) for part in written.split(",")) if written else None
    except ValueError:
        raise StudyError(f"'{written}' are no numbers; write them as 0.5,0.5,0.5") from None


def run(request: Request, out: Path, cores: int, profile: str | None) -> str:
    """Measure what is not there yet and write the pages; the line that says where they are. StudyError where jobs failed, with
    the reason of the first; the pages then hold what the others measured."""
    request.save(out / "request.json")
    done = subprocess.run(command(out, cores, profile), cwd=WORK, check=False, env=os.environ | {"OMP_NUM_THREADS": "1"})
    if done.returncode == 0:
        return f"open {out / 'report.html'}"
    failed = failures(request, out)
    write_pages(request, out, failed)
    what, why = next(iter(failed.items()), ("snakemake", "failed before the first job"))
    raise StudyError(f"{what}: {why}; what was measured all the same is in {out / 'report.html'}")


def command(out: Path, cores: int, profile: str | None) -> list[str]:
    """Snakemake on the workflow of a request."""
    found = [str(Path(sys.executable).with_name("snakemake")), "-s", str(WORKFLOW), "--config", f"out={out}"]
    default = WORK / "profiles" / "default"
    found += [] if default.exists() else ["--workflow-profile", str(PROJECT / "profiles" / "default")]
    return [*found, "--profile", profile] if profile else [*found, "--cores", str(cores)]


def failures(request: Request, out: Path) -> dict[str, str]:
    """Why jobs failed, by what they were to do."""
    found = {}
    for path in sorted((out / "logs").rglob("*.failed.json")):
        what = " ".join(path.relative_to(out / "logs").with_suffix("").with_suffix("").parts)
        found[what] = json.loads(path.read_text(encoding="utf-8"))["error"]
    known = {model.key for model in request.models} | set(request.images)
    return {what: why for what, why in found.items() if known & set(what.split())}
