"""Replay the history: how many commits that changed the code in every fingerprint changed no number.

    python bench/replay.py --list                 the commits, with the modules that each changed
    python bench/replay.py [COMMIT...]            run them, or these, and print what came out
    python bench/replay.py --studies mixup,odin   with fewer studies than the commit has

Each commit and its parent are checked out and run, by their own `snakemake`, the studies whose files the commit did not touch,
at the scale ci. So it works for every layout the code ever had. Observations, kept arrays and weights are compared.
"""

import argparse
import ast
import hashlib
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np

from assay.pipeline.worktrees import full_name, worktree
from assay.provenance.syntax import all_code, imports_in

ROOT = Path(__file__).resolve().parent.parent
LAST = "0de2e4b^"  # before the modules moved into rooms, with other fingerprints
ENTRIES = ("assay.measuring", "assay.training")  # what fingerprints began with
EQUAL, NETWORKS = "equal", "networks"
SNAKEMAKE = Path(sys.executable).with_name("snakemake")


def git(*arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=True).stdout


def modules(commit: str) -> dict[str, str]:
    """The modules of the package at a commit, with git's names of their contents; none where there is no package."""
    found = {}
    for line in git("ls-tree", "-r", commit, "src/assay").decode().splitlines():
        about, path = line.split("\t")
        if path.endswith(".py"):
            module = path.removeprefix("src/").removesuffix(".py").removesuffix("/__init__").replace("/", ".")
            found[module] = about.split()[2]
    return found


@cache
def parsed(content: str) -> tuple[str, frozenset[str]]:
    """What a module computes with, as text, and the names that its import statements may lead to."""
    tree = ast.parse(git("cat-file", "blob", content))
    names = set()
    for node in imports_in(tree):
        base = getattr(node, "module", None)
        names |= {base, *(f"{base}.{alias.name}" for alias in node.names)} if base else {alias.name for alias in node.names}
    return all_code(tree), frozenset(names)


def core(found: dict[str, str]) -> set[str]:
    """The modules that were in every fingerprint: all that the entries reach by importing."""
    reached, waiting = set(), [entry for entry in ENTRIES if entry in found]
    while waiting:
        module = waiting.pop()
        if module not in reached:
            reached.add(module)
            waiting += parsed(found[module])[1] & found.keys()
    return reached


def commits() -> dict[str, list[str]]:
    """The commits that changed code in every fingerprint, oldest first, with the modules changed."""
    found, earlier = {}, {}
    for commit in git("rev-list", "--reverse", "--first-parent", LAST).decode().split():
        there = modules(commit)
        texts = {module: parsed(there[module])[0] for module in core(there)}
        changed = sorted(module for module in texts.keys() | earlier.keys() if texts.get(module) != earlier.get(module))
        if ENTRIES[0] in earlier and changed:
            found[commit] = changed
        earlier = texts
    return found


def replay(commit: str, names: list[str]) -> str:
    """Run the studies that a commit left as they were with its parent's code and with its own; in words, what came out."""
    results = []
    names = [name for name in unchanged(commit) if not names or name in names]
    for version in (f"{commit}^", commit):
        with worktree(version, ROOT) as tree:
            found, failure = run(tree, names)
            if not found:
                return f"cannot be run at {version[:8]}{version[40:]} ({failure})"
            results.append(found)
    before, after = results
    both = sorted(before.keys() & after.keys() - {NETWORKS})
    differing = [name for name in both if before[name] != after[name]]
    if differing:
        return f"other numbers in {len(differing)} of {len(both)} studies ({', '.join(differing)})"
    return f"{EQUAL} in all {len(both)} studies" + ("" if before[NETWORKS] == after[NETWORKS] else ", other weights")


def unchanged(commit: str) -> list[str]:
    """The studies whose files are the same before and after a commit."""
    lists = (set(git("ls-tree", "-r", side, "config/studies").decode().splitlines()) for side in (f"{commit}^", commit))
    return sorted(Path(line).stem for line in set.intersection(*lists) if line.endswith(".yaml"))


def run(tree: Path, studies: list[str]) -> tuple[dict[str, str], str]:
    """Let a checkout run its studies at the scale ci; a digest by study, and the last line if it failed."""
    if (tree / "data.dvc").exists() and (tree / "data.dvc").read_bytes() == (ROOT / "data.dvc").read_bytes():
        shutil.copytree(ROOT / "data", tree / "data", dirs_exist_ok=True)
    targets = [f"results/ci/observations/{study}/observations.csv" for study in studies]
    command = [str(SNAKEMAKE), "--cores", str(os.cpu_count() or 1), "--keep-going", *targets, "--config", "scale=ci"]
    environment = {**os.environ, "PYTHONPATH": str(tree / "src"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    said = (done.stderr or done.stdout).strip().splitlines()
    return digests(tree / "results" / "ci"), said[-1] if done.returncode and said else ""


def digests(results: Path) -> dict[str, str]:
    """A digest of observations and arrays of each study, and one of all weights; none if there is no study."""
    found = {}
    for path in sorted(results.glob("observations/*/observations.csv")):
        texts = [path.read_text(), *map(repr, arrays(path.with_name("arrays.npz")))]
        found[path.parent.name] = hashlib.sha256("\n".join(texts).encode()).hexdigest()
    weights = sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in results.glob("networks/**/*.safetensors"))
    return found and found | {NETWORKS: hashlib.sha256("".join(weights).encode()).hexdigest()}


def arrays(path: Path) -> Iterator[tuple[str, str]]:
    if path.exists():
        with np.load(path, allow_pickle=False) as stored:
            for name in sorted(stored):
                yield name, hashlib.sha256(np.ascontiguousarray(stored[name]).tobytes()).hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("commits", nargs="*")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--studies", default="", help="names with commas between them")
    given = parser.parse_args()
    every = commits()
    chosen = [full_name(commit, ROOT) for commit in given.commits] or list(every)
    equal = 0
    for commit in chosen:
        title = git("show", "--no-patch", "--format=%h %ad %s", "--date=short", commit).decode().strip()
        print(f"{title}\n  {', '.join(module.removeprefix('assay.') for module in every.get(commit, []))}", flush=True)
        if not given.list:
            word = replay(commit, [name for name in given.studies.split(",") if name])
            equal += word.startswith(EQUAL)
            print(f"  {word}", flush=True)
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(
        f"{len(chosen)} commits"
        if given.list
        else f"{equal} of {len(chosen)} equal; {spent.ru_utime + spent.ru_stime:.0f} core seconds"
    )


if __name__ == "__main__":
    main()
