"""What a job costs beyond its work: a training, a measurement and a judgement of this checkout, beside `import torch`.

usage: python bench/bars/startup.py

A study runs at scale ci in a clone, and Snakemake leaves the scripts of its jobs. Each is then run again: its client and its
forked child, in processor time. Its work is what the same script takes a second time in one process, when all is imported.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STUDY = "mixup"
ROUNDS = 3
OWN = "matplotlibrc"  # a file in whose presence jobs get processes of their own
SECOND = """
import time
path = {path!r}
for turn in (1, 2):
    started = time.process_time()
    names = {{"__name__": "__main__", "__file__": path, "__builtins__": __builtins__}}
    exec(compile(open(path).read(), path, "exec"), names)
    spent = time.process_time() - started
print(spent)
"""


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def used(command: list[str], folder: Path) -> tuple[float, str]:
    """Processor time of a command and of all it waited for, and its output."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, cwd=folder, env=environment(folder), capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout


def environment(folder: Path) -> dict[str, str]:
    """That of a job with one thread, which Snakemake sets."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {**os.environ, **threads, "PYTHONPATH": str(folder / "src")}


def scripts_of_jobs(folder: Path) -> dict[str, Path]:
    """One script of each rule, as Snakemake wrote it for a job that is now done."""
    targets = [f"results/ci/observations/{STUDY}/0-0/observations.csv", "results/ci/verdicts.json"]
    config = ["scale=ci", f"studies=[{STUDY}]", "evidence=recomputed", "recheck=0"]
    command = [str(Path(sys.executable).with_name("snakemake")), "--cores", "1", "--skip-script-cleanup", *targets, "--config"]
    used([*command, *config], folder)
    found = sorted((folder / ".snakemake" / "scripts").glob("*.py"))
    return {path.name.split(".")[-2]: path.relative_to(folder) for path in found}


CLIENT = """
import json, sys
from assay.forks.client import fork
sys.argv = sys.argv[1:]
child = fork({"path": sys.argv[0]})
if child is None:
    sys.exit("no child can be had; is this Linux with two free gigabytes?")
status = child.wait()
print(json.dumps([status, child.seconds]), file=sys.stderr)
"""


def forked(script: Path, folder: Path) -> float:
    """Core seconds of a job in a forked child: its client, which waits, and the child, as the kernel told the parent."""
    client, _ = used([sys.executable, str(script)], folder)
    done = subprocess.run(
        [sys.executable, "-c", CLIENT, str(script)],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        check=True,
    )
    status, child = json.loads(done.stderr.splitlines()[-1])
    if status:
        sys.exit(done.stderr)
    return client + child


def alone(script: Path, folder: Path) -> tuple[float, float]:
    """Core seconds of a job in a process of its own, and of its work alone."""
    (folder / OWN).touch()
    try:
        whole, _ = used([sys.executable, str(script)], folder)
        _, said = used([sys.executable, "-c", SECOND.format(path=str(script))], folder)
    finally:
        (folder / OWN).unlink()
    return whole, float(said.splitlines()[-1])


def bars(folder: Path) -> list[dict]:
    """A bar for each kind of job; all are measured in turns, and the medians compared."""
    subprocess.run(["git", "clone", "-q", str(ROOT), str(folder)], check=True)
    scripts = scripts_of_jobs(folder)
    seen = {name: {"forked": [], "alone": [], "work": []} for name in ("train", "measure", "judge")}
    torch = []
    for turn in range(ROUNDS):
        torch.append(used([sys.executable, "-c", "import torch"], folder)[0])
        for name, times in seen.items():
            whole, work = alone(scripts[name], folder)
            times["forked"].append(forked(scripts[name], folder))
            times["alone"].append(whole)
            times["work"].append(work)
        say(
            f"round {turn + 1} of {ROUNDS}: import torch {torch[-1]:.2f}, "
            + ", ".join(
                f"{name} {times['forked'][-1]:.2f} (alone {times['alone'][-1]:.2f}, work {times['work'][-1]:.2f})"
                for name, times in seen.items()
            )
        )
    peer = statistics.median(torch)
    return [bar(name, peer, {kind: statistics.median(values) for kind, values in times.items()}) for name, times in seen.items()]


def bar(name: str, torch: float, times: dict[str, float]) -> dict:
    kind = "a job that needs no torch" if name == "judge" else "a torch job"
    return {
        "name": f"{kind} ({name}) beyond its work, against import torch",
        "value": round((times["forked"] - times["work"]) / torch, 3),
        "limit": 0.25,
        "sense": "at most",
        "measured": {"import torch": round(torch, 3), **{f"{name} {kind}": round(value, 3) for kind, value in times.items()}},
        "unit": "core-s",
        "how": f"client and forked child of a job of {STUDY} at scale ci, less what its script takes a second time in one"
        f" process; medians of {ROUNDS} rounds in turns",
    }


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        print(json.dumps(bars(Path(temporary, "clone")), indent=1))
