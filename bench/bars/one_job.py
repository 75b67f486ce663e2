"""One job side by side: 40 trainings of a perceptron on digits, their table and a figure, by assay and by what people use.

usage: python bench/bars/one_job.py [EPOCHS]      (80; fewer only to try the script: its bars are about 80)

Peers: a plain loop with joblib, Snakemake with the trainings batched by hand, and benchopt, which is left out with a line where
it cannot be installed. Network, data, batches, epochs, optimizer and measures are the same, each process computes with one
thread, two at a time. All processor time counts, of all descendants. assay runs in a copy of this checkout with one study.
"""

import ctypes
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[2]
PARTS = Path(__file__).with_name("_one_job")
BIN = Path(sys.executable).parent
COPIED = ("Snakefile", "rules", "workflow", "profiles", "config", "envs", "slurm", "src", "report", "docs/data")
DATA = ("data", "data.dvc", "data.sha256")
EPOCHS = int(sys.argv[1]) if len(sys.argv) > 1 else 80
SCALE = f"""
description: five repetitions of one study, for a benchmark
first_look: 5
block: 5
networks_per_job: 4
conclusive: false
world: {{size: 8, train: 1200, test: 597}}
budget: {{epochs: {EPOCHS}, batch: 64}}
"""
STUDY = """
paper: P166
question: Does mixup help a perceptron on digits at any learning rate?
base:
  world: {digits: {size: 8, train: 1200, test: 597}}
  model: {mlp: {width: 128, hidden: 2}}
  optimizer: sgd
sweep: {optimizer.lr: [0.02, 0.05, 0.1, 0.2]}
arms:
  erm: {}
  mixup: {augment: mixup}
protocol: classify
controls: [mean(erm.top1) > 0.2]
expect: [mean(mixup.top1) > mean(erm.top1)]
margin: {top1: 0.01}
figure: {lines: {metrics: [top1], log_x: true}}
"""
ADOPT = 36  # PR_SET_CHILD_SUBREAPER: what runs leave behind becomes this process's
REPEATS = 3  # of runs with nothing to do; the least counts


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def spent(command: Iterable[object], folder: Path, **variables: str) -> float:
    """Core seconds of a command and of all its descendants; one that is left behind, as the process that jobs are forked from, is
    ended and counted, so that every run pays for its start."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env={**os.environ, **threads, "EPOCHS": str(EPOCHS), **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    while left := Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
        for process in map(int, left):
            os.kill(process, signal.SIGTERM)
            os.waitpid(process, 0)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}: exit status {done.returncode}\n{done.stdout[-3000:]}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def loop(folder: Path) -> float:
    """The plain loop."""
    folder.mkdir()
    shutil.copy(PARTS / "digits_job.py", folder)
    return spent([sys.executable, "digits_job.py", "loop"], folder, DIGITS=str(ROOT / "data" / "digits.npz"))


def snakemake(folder: Path) -> dict[str, float]:
    """Snakemake with jobs batched by hand: cold, again, and with one method changed."""
    folder.mkdir()
    for name in ("digits_job.py", "Snakefile"):
        shutil.copy(PARTS / name, folder)
    for method in ("erm", "mixup"):
        (folder / f"{method}.txt").write_text("1\n")
    command = [BIN / "snakemake", "--cores", "2"]
    digits = str(ROOT / "data" / "digits.npz")
    found = {"cold": spent(command, folder, DIGITS=digits)}
    found["no-op"] = min(spent(command, folder, DIGITS=digits) for _ in range(REPEATS))
    (folder / "mixup.txt").write_text("2\n")
    found["edited"] = spent(command, folder, DIGITS=digits)
    return found


def benchopt(folder: Path) -> dict[str, float] | None:
    """benchopt in an environment of its own, which shares this one's packages; None, with a line, where it is not to be had."""
    shutil.copytree(PARTS / "peer", folder)
    for build in ([sys.executable, "-m", "venv", folder / "env"], [folder / "env/bin/pip", "install", "-q", "benchopt==1.10.0"]):
        done = subprocess.run([str(part) for part in build], capture_output=True, text=True, check=False)
        if done.returncode:
            say(f"benchopt is left out: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")
            return None
        _share_packages(folder / "env")
    command = [folder / "env/bin/benchopt", "run", ".", "-n", "1", "-j", "2", "--no-plot", "--no-display"]
    variables = {"DIGITS": str(ROOT / "data" / "digits.npz"), "JOB": str(PARTS), "BENCHOPT_DEFAULT_TIMEOUT": "3600"}
    try:
        found = {"cold": spent(command, folder, **variables)}
        found["no-op"] = min(spent(command, folder, **variables) for _ in range(REPEATS))
    except SystemExit as error:
        say(f"benchopt is left out: {str(error).strip().splitlines()[-1]}")
        return None
    return found


def _share_packages(environment: Path) -> None:
    """Let an environment import the packages that this one has, after its own."""
    site = next(environment.glob("lib/python*/site-packages"))
    (site / "shared.pth").write_text(f"{Path(torch.__file__).parents[1]}\n")


class Assay:
    """A copy of the checkout with one study."""

    def __init__(self, folder: Path):
        self.folder = folder
        for part in (*COPIED, *DATA):
            source = ROOT / part
            if source.is_dir():
                shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
            else:
                shutil.copy(source, folder / part)
        shutil.rmtree(folder / "config" / "studies")
        study = folder / "config" / "studies" / "training-recipes" / "digits_mixup.yaml"
        study.parent.mkdir(parents=True)
        study.write_text(STUDY)
        (folder / "config" / "scales" / "one_job.yaml").write_text(SCALE)
        self.results = folder / "results" / "one_job"
        config = ["--config", "scale=one_job", "evidence=recomputed"]
        self.command = [BIN / "snakemake", "--cores", "2", *config]

    def run(self) -> float:
        own = self.folder / "tmp"  # no process of earlier runs elsewhere is found there
        own.mkdir(exist_ok=True)
        return spent(self.command, self.folder, PYTHONPATH=str(self.folder / "src"), TMPDIR=str(own))

    def edit(self) -> None:
        """Change one method: its code, though not what it computes."""
        path = self.folder / "src" / "assay" / "augment" / "mixup.py"
        text = path.read_text()
        if "replace(" not in text:
            sys.exit(f"{path}: has no call that could be changed")
        path.write_text(f"{text}\nEDITED = 1\n".replace("return replace(", "changed = EDITED * 1\n    return replace(", 1))

    def own_work(self, since: float) -> tuple[float, float, int]:
        """Core seconds of training the networks that were made since, of measuring the study, and how many networks that were."""
        sidecars = [path for path in self.results.glob("networks/*/seed-*.json") if path.stat().st_mtime > since]
        training = sum(json.loads(path.read_text())["core_seconds"] for path in sidecars)
        measured = [path for path in self.results.glob("observations/*/*/provenance.json") if path.stat().st_mtime > since]
        return training, sum(json.loads(path.read_text())["cost"]["measure_core_s"] for path in measured), len(sidecars)


def assay(folder: Path) -> dict[str, float]:
    """assay: cold, again, and with one method changed, whose own training and measuring are counted beside."""
    folder.mkdir()
    project = Assay(folder)
    found = {"cold": project.run()}
    found["training"], found["measuring"], trained = project.own_work(0)
    if trained != 40:
        sys.exit(f"assay trained {trained} networks, not 40")
    found["no-op"] = min(project.run() for _ in range(REPEATS))
    mark = folder / "mark"
    mark.touch()
    project.edit()
    found["edited"] = project.run()
    found["edited: training"], found["edited: measuring"], trained = project.own_work(mark.stat().st_mtime)
    if trained != 20:
        sys.exit(f"assay trained {trained} networks again, not 20")
    return found


def bar(name: str, value: float, limit: float, measured: dict, unit: str, how: str) -> dict:
    return {
        "name": name,
        "value": round(value, 2),
        "limit": limit,
        "sense": "at most",
        "measured": {key: round(number, 2) for key, number in measured.items()},
        "unit": unit,
        "how": how,
    }


def bars(folder: Path) -> list[dict]:
    """All bars, with the peers of the same run; the plain loop once before and once after."""
    say("plain loop")
    first = loop(folder / "loop")
    say(f"  {first:.1f} core-s\nassay")
    ours = assay(folder / "assay")
    say(f"  {ours}\nplain loop again")
    plain = (first + loop(folder / "loop2")) / 2
    say("Snakemake by hand")
    hand = snakemake(folder / "snakemake")
    say(f"  {hand}\nbenchopt")
    peer = benchopt(folder / "benchopt") or {}
    say(f"  {peer}")
    beside = {f"benchopt, {key}": value for key, value in peer.items()} | {f"Snakemake, {k}": v for k, v in hand.items()}
    beyond = ours["edited"] - ours["edited: training"] - ours["edited: measuring"]
    return [
        bar(
            "one job of 40 trainings, cold, over a plain joblib loop",
            ours["cold"] / plain,
            1.15,
            {"assay": ours["cold"], "of which training": ours["training"], "joblib loop": plain, **beside},
            "core-s",
            "all processor time from an empty folder to table, figure and report; the loop is the mean of a run before and after",
        ),
        bar(
            "the same job again, nothing to do, over Snakemake's own",
            ours["no-op"] / hand["no-op"],
            1.5,
            {"assay": ours["no-op"], **beside},
            "core-s",
            f"the least of {REPEATS} runs each",
        ),
        bar(
            "one method edited, beyond its own training and measuring",
            beyond,
            5,
            {key: ours[key] for key in ("edited", "edited: training", "edited: measuring")} | beside,
            "core-s",
            "the code of mixup changed: 20 of 40 networks; training and measuring as their records say",
        ),
    ]


if __name__ == "__main__":
    ctypes.CDLL(None).prctl(ADOPT, 1, 0, 0, 0)
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(bars(Path(folder)), indent=1))
