"""One method edited: what a run to the new report costs beyond training and measuring that method's arm.

usage: python bench/bars/one_edit.py

A copy of this checkout holds one study at laptop scale: six arms of a perceptron on digits, five repetitions. A number in the
method of one arm is changed. What counts is the processor time of the run and of all its descendants, also of one that stays
to serve later jobs; what the arm itself costs is what its networks and its measured cell say.
"""

import ctypes
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SNAKEMAKE = Path(sys.executable).with_name("snakemake")
FOLDERS = ("rules", "workflow", "profiles", "config", "envs", "slurm", "src", "report", "docs/data", "data")
FILES = ("Snakefile", "data.dvc", "data.sha256")
PR_SET_CHILD_SUBREAPER = 36
TICKS = os.sysconf("SC_CLK_TCK")
LIMIT = 5.0
PLUG = '''"""Pixel noise, the method that is edited."""

from dataclasses import replace

import torch


def noisy(batch, generator, *, scale: float = 1.0):
    """Adds Gaussian noise."""
    noise = torch.randn(batch.images.shape, generator=generator, device=batch.images.device)
    return replace(batch, images=batch.images + scale * 0.05 * noise)
'''
STUDY = """
paper: P166
question: What does one edit cost?
base:
  world: {digits: {train: 1200, test: 597}}
  model: {mlp: {width: 128, hidden: 2}}
  budget: {epochs: 40, batch: 64}
arms:
  erm: {}
  mixup: {augment: mixup}
  smooth: {objective: {cross_entropy: {label_smoothing: 0.1}}}
  adam: {optimizer: adam}
  noisy: {augment: noisy}
  both: {augment: [mixup, crop]}
protocol: classify
controls: [erm.top1 > 0.2]
expect: [mixup.top1 > erm.top1]
margin: {top1: 0.01}
"""
NAME, ARM, BLOCK = "one_edit", "noisy", "0-4"


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def project(folder: Path) -> Path:
    """A copy of this checkout with one study and the method that it edits."""
    for part in FOLDERS:
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for name in FILES:
        shutil.copy(ROOT / name, folder / name)
    shutil.rmtree(folder / "config" / "studies")
    study = folder / "config/studies/training-recipes" / f"{NAME}.yaml"
    study.parent.mkdir(parents=True)
    study.write_text(STUDY)
    (folder / "src/assay/augment/noisy.py").write_text(PLUG)
    return folder


def serving() -> dict[int, float]:
    """Core seconds of the processes that earlier runs left behind, by id: they are children of this process now."""
    found, waiting = {}, [os.getpid()]
    while waiting:
        for path in Path(f"/proc/{waiting.pop()}/task").glob("*/children"):
            for child in map(int, path.read_text().split()):
                fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
                found[child] = sum(map(int, fields[11:15])) / TICKS
                waiting.append(child)
    return found


def spent() -> float:
    """Core seconds of all descendants until now."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended.ru_utime + ended.ru_stime + sum(serving().values())


def run(folder: Path) -> tuple[float, dict[str, float]]:
    """Core seconds of a run to the report, and of its jobs by rule as their benchmarks say."""
    command = [SNAKEMAKE, "--cores", "2", "--config", "draws=trial", "recheck=0"]
    before, began = spent(), time.time()
    environment = {
        **os.environ,
        "PYTHONPATH": str(folder / "src"),
        "TMPDIR": str(folder / "tmp"),
        "XDG_RUNTIME_DIR": str(folder / "tmp"),
    }
    (folder / "tmp").mkdir(exist_ok=True)
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    total = spent() - before
    if done.returncode:
        sys.exit(f"{NAME}: exit status {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-3000:]}")
    jobs: dict[str, float] = {}
    benchmarks = folder / "results/laptop-trial/benchmarks"
    for path in benchmarks.rglob("*.tsv"):
        if path.stat().st_mtime > began:
            names, values = (line.split("\t") for line in path.read_text().splitlines()[:2])
            rule = path.relative_to(benchmarks).parts[0].removesuffix(".tsv")
            jobs[rule] = jobs.get(rule, 0.0) + float(dict(zip(names, values, strict=True))["cpu_time"])
    return total, jobs


def own(folder: Path) -> dict[str, float]:
    """Core seconds of training and of measuring the edited arm, as its networks and its cell say."""
    results = folder / "results/laptop-trial"
    networks = [json.loads(path.read_text()) for path in results.glob(f"networks/*{ARM}*/seed-*.json")]
    cells = json.loads((results / "cells" / NAME / BLOCK / "provenance.json").read_text())["cells"]
    return {"training": sum(each["core_seconds"] for each in networks), "measuring": cells[ARM]["core_seconds"]}


def pages(folder: Path) -> dict[str, tuple[int, bytes]]:
    """What the report and the figures are made of: time of writing and content, by path."""
    results = folder / "results/laptop-trial"
    found = [path for part in ("report", "figures") for path in (results / part).rglob("*") if path.is_file()]
    return {str(path.relative_to(results)): (path.stat().st_mtime_ns, path.read_bytes()) for path in found}


def main() -> None:
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    with tempfile.TemporaryDirectory() as place:
        folder = project(Path(place) / "project")
        say("cold run")
        cold, _ = run(folder)
        idle, _ = run(folder)
        before = pages(folder)
        path = folder / "src/assay/augment/noisy.py"
        path.write_text(path.read_text().replace("0.05", "0.06"))
        say(f"cold {cold:.1f}, nothing to do {idle:.1f}; one method edited")
        total, jobs = run(folder)
        arm, after = own(folder), pages(folder)
        provenance = json.loads((folder / f"results/laptop-trial/observations/{NAME}/{BLOCK}/provenance.json").read_text())
        say(f"measured before: {', '.join(provenance['measured_before']) or 'nothing'}")
        written = sorted(name for name in after if before.get(name, (0, b""))[0] != after[name][0])
        same = [name for name in written if name in before and before[name][1] == after[name][1]]
        say(f"written {len(written)} of {len(after)} files: {', '.join(written)}")
        say(f"of these with the bytes they had: {', '.join(same) or 'none'}")
        for process in serving():
            os.kill(process, 15)
    parts = {f"{rule} jobs": round(value, 1) for rule, value in jobs.items()}
    rest = {"run itself": round(total - sum(jobs.values()), 1), "nothing to do": round(idle, 1)}
    measured = {"run": round(total, 1), **{f"own {name}": round(value, 1) for name, value in arm.items()}, **parts, **rest}
    bar = {
        "name": "one method edited, beyond training and measuring its arm",
        "value": round(total - sum(arm.values()), 1),
        "limit": LIMIT,
        "sense": "at most",
        "measured": measured,
        "unit": "core-s",
        "how": "a run of six arms and five repetitions at laptop scale after a number in one method changed, less what its"
        " networks and its cell cost",
    }
    print(json.dumps([bar], indent=1))


if __name__ == "__main__":
    main()
