"""What ten studies cost when all is computed anew: this commit against an earlier one, in turns, each in a worktree of its own.

    .venv/bin/python bench/bars/ten_studies.py                              ten studies, an hour or so on two cores
    .venv/bin/python bench/bars/ten_studies.py --studies mixup blurpool     some of them
    .venv/bin/python bench/bars/ten_studies.py --before e9ab238 --after HEAD

Prints a list with one bar in JSON; progress on stderr. Counted are core seconds of Snakemake and all it starts, also of jobs
that are forked from a process which outlives it, from an empty folder to observations: networks are trained, studies measured,
nothing drawn.
"""

import argparse
import json
import shutil
import sys
from contextlib import ExitStack
from pathlib import Path

import report
from assay.artifacts.folders import pull
from assay.language.studies import load_studies
from assay.pipeline.worktrees import worktree
from assay.storage.places import WORK

SCALE = "laptop"
STUDIES = (
    "augmix",
    "biases",
    "blurpool",
    "control_shift",
    "gpfq",
    "imagenet_a",
    "imagenet_v2",
    "mixup",
    "random_labels",
    "rics",
)
BEFORE = "e9ab238"  # the last commit whose repetitions were all trained one at a time
LIMIT = 0.7


def core_seconds(tree: Path, study: str) -> float:
    """What it costs to compute a study in a worktree without results."""
    shutil.rmtree(tree / "results", ignore_errors=True)
    shutil.rmtree(tree / ".snakemake", ignore_errors=True)
    targets = [
        f"results/{SCALE}/observations/{study}/{block.name}/provenance.json" for block in load_studies(SCALE)[study].blocks
    ]
    terms = ["--config", f"scale={SCALE}", "evidence=recomputed", "recheck=0", f"studies=[{study}]"]
    return report.core_seconds(tree, ["-m", "snakemake", "--cores", "all", "--quiet", "all", *terms, "--", *targets])


def main() -> None:
    """Compute every study on both sides, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--before", default=BEFORE)
    parser.add_argument("--after", default="HEAD")
    parser.add_argument("--studies", nargs="+", default=STUDIES, metavar="STUDY")
    given = parser.parse_args()
    report.adopt()
    pull("data")
    spent = {"before": 0.0, "after": 0.0}
    with ExitStack() as stack:
        trees = {
            side: stack.enter_context(worktree(commit)) for side, commit in (("before", given.before), ("after", given.after))
        }
        for tree in trees.values():
            shutil.copytree(WORK / "data", tree / "data", dirs_exist_ok=True)
        for number, study in enumerate(given.studies):
            # Who begins changes, as the first of two may find files in memory.
            for side in sorted(trees, reverse=number % 2 == 0):
                seconds = core_seconds(trees[side], study)
                spent[side] += seconds
                print(f"{study}: {side} {seconds:.1f}", file=sys.stderr, flush=True)
    ratio = spent["after"] / spent["before"]
    found = {
        "name": f"{len(given.studies)} studies computed anew, against the build before",
        "value": round(ratio, 3),
        "limit": LIMIT,
        "sense": "at most",
        "measured": {f"{side} ({getattr(given, side)})": round(seconds, 1) for side, seconds in spent.items()},
        "unit": "core-s",
        "how": "Snakemake and all it starts, from nothing to observations, study by study on both sides in turns",
    }
    print(json.dumps([found], indent=1))


if __name__ == "__main__":
    main()
