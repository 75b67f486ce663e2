"""What reading, checking and planning the studies costs at 764 of them, and at twice as many.

usage: python bench/bars/compile.py [STUDIES]        764 if not given

Each project is a copy of this checkout with copies of its studies. What is measured is a second dry run, and checks after one
study changed, in processor time of all processes; beside it, in turns, Snakemake's own dry run of as many empty jobs.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from copies import copies, environment

SNAKEMAKE = str(Path(sys.executable).with_name("snakemake"))
PEERS = {
    "import": "import pydantic, yaml",
    "import with a model": "import pydantic, yaml\nclass Model(pydantic.BaseModel):\n    key: int",
}
# What is changed of a study, in turns; the claim is one beside the verdict, as those of measured texts are not to change.
CHANGES = {
    "a comment": (r"\Z", "# changed {turn}\n"),
    "its question": (r"^question: .*", "question: Is it so, {turn}?"),
    "a claim": (r"mixup\.top1 > smooth\.top1.*", "mixup.top1 > smooth.top1 + 0.00{turn}1"),
}
EMPTY = """
N = {jobs}
rule all:
    input: expand("out/{{n}}.txt", n=range(N))
rule one:
    output: "out/{{n}}.txt"
    params: text=lambda wildcards: "x" * 500
    script: "empty.py"
"""


class Run(NamedTuple):
    """Core seconds and peak memory of a command, and what it printed."""

    seconds: float
    megabytes: float
    text: str


def measured(command: list[str], folder: Path, environment: dict[str, str] | None = None) -> Run:
    """Run a command in a folder; the processor time is that of all processes it waited for."""
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=said, stderr=said)
        _, status, used = os.wait4(process.pid, 0)
        said.seek(0)
        text = said.read().decode()
    if status:
        raise SystemExit(f"{' '.join(command)}: status {status}\n{text[-2000:]}")
    run = Run(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, text)
    print(f"{run.seconds:7.2f} core-s {run.megabytes:6.0f} MB  {' '.join(command[1:])[:80]}", file=sys.stderr)
    return run


def dry_run(tree: Path, *config: str) -> tuple[Run, Run, int]:
    """A first dry run of a project and a second one, and the number of its jobs."""
    command = [SNAKEMAKE, "--dry-run", "--quiet", "rules", *(["--config", *config] if config else [])]
    first, second = (measured(command, tree, environment(tree)) for _ in range(2))
    return first, second, int(re.search(r"^total +(\d+)", second.text, re.MULTILINE)[1])


def empty_jobs(folder: Path, jobs: int) -> Run:
    """Snakemake's own dry run of as many empty scripts, beside the job that asks for all."""
    folder.mkdir(exist_ok=True)
    (folder / "empty.py").write_text("")
    (folder / "Snakefile").write_text(EMPTY.format(jobs=jobs - 1))
    return measured([SNAKEMAKE, "--dry-run", "--quiet", "rules"], folder)


def changed_study(tree: Path) -> dict[str, float]:
    """The check after a comment of one study changed, its question, and one of its claims; Python with two libraries, and with a
    model of one of them. Of three turns the least of each."""
    check = [sys.executable, "-m", "assay.cli", "check"]
    measured(check, tree, environment(tree))
    path = next((tree / "config/studies").glob("*/mixup.yaml"))
    found: dict[str, list[float]] = {}
    for turn in range(3):
        for what, (old, new) in CHANGES.items():
            changed, times = re.subn(old, new.format(turn=turn), path.read_text(), count=1, flags=re.MULTILINE)
            if not times:
                raise SystemExit(f"{path.name} has nothing like {old}")
            path.write_text(changed)
            found.setdefault(what, []).append(measured(check, tree, environment(tree)).seconds)
        for name, code in PEERS.items():
            found.setdefault(name, []).append(measured([sys.executable, "-c", code], tree).seconds)
    return {name: min(seconds) for name, seconds in found.items()}


def bar(name: str, value: float, limit: float, found: dict[str, float], how: str) -> dict:
    rounded = {key: round(each, 2) for key, each in found.items()}
    return {
        "name": name,
        "value": round(value, 2),
        "limit": limit,
        "sense": "at most",
        "measured": rounded,
        "unit": "core-s",
        "how": how,
    }


def against_snakemake(name: str, tree: Path, work: Path, *config: str) -> tuple[dict, float]:
    """A bar for a project's dry run, and its core seconds."""
    first, second, jobs = dry_run(tree, *config)
    peer = empty_jobs(work / "empty", jobs)
    found = {"dry run": second.seconds, "first dry run": first.seconds, "empty jobs": peer.seconds}
    how = f"{jobs} jobs either way; peak memory {second.megabytes:.0f} MB against {peer.megabytes:.0f}"
    return bar(name, second.seconds / peer.seconds, 4.0, found, how), second.seconds


def bars(studies: int) -> list[dict]:
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        copies(work / "archived", studies)
        once, seconds = against_snakemake(f"dry run of {studies} archived studies", work / "archived", work)
        check = changed_study(work / "archived")
        copies(work / "twice", 2 * studies)
        _, more = against_snakemake(f"dry run of {2 * studies} archived studies", work / "twice", work)
        copies(work / "apart", studies, apart=True)
        terms = ("evidence=recomputed",)
        apart, _ = against_snakemake(f"dry run of {studies} studies, all computed", work / "apart", work, *terms)
    found = {"twice as many": more, "studies": seconds}
    growth = bar(f"dry run of {2 * studies} against {studies}", more / seconds, 2.2, found, "archived studies, second dry runs")
    how = "against python -c 'import pydantic, yaml', which builds no model; least of three"
    checks = [bar(f"check after one changed file: {what}", check[what] / check["import"], 2.0, check, how) for what in CHANGES]
    return [once, apart, growth, *checks]


if __name__ == "__main__":
    print(json.dumps(bars(int(sys.argv[1]) if sys.argv[1:] else 764), indent=1))
