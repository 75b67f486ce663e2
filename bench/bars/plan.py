"""How well core seconds are predicted: the forecast of a dry run beside what the run then took, in clones of this checkout.

The archive's records are of another processor unless it is run on that one; at scale ci nothing is archived, so all is foreseen
from other sizes. What Snakemake itself takes, as measured by the dry run, is subtracted.
"""

import json
import subprocess
import tempfile
from pathlib import Path

from one_job import BIN, ROOT, bar, say, spent

from assay.pipeline.prediction import PLAN_FILE

RUNS = {"ci": "gpfq,mixup,zoom", "laptop": "gpfq,boundary_tilting,fgsm"}


def compared(scale: str, studies: str, folder: Path) -> tuple[float, float]:
    """Core seconds of computing these studies: foreseen, and taken."""
    subprocess.run(["git", "clone", "-q", str(ROOT), str(folder)], check=True)
    command = [BIN / "snakemake", "--cores", "2", "--config", f"scale={scale}", "evidence=recomputed", f"studies=[{studies}]"]
    plan = folder.with_suffix(".json")
    source = str(folder / "src")
    own = spent([*command, "--dry-run"], folder, PYTHONPATH=source, **{PLAN_FILE: str(plan)})
    foreseen = 60 * json.loads(plan.read_text())["core_minutes"]
    return foreseen, spent(command, folder, PYTHONPATH=source) - own


def bars(folder: Path) -> list[dict]:
    """One bar a scale."""
    made = []
    for scale, studies in RUNS.items():
        say(f"{scale}: {studies}")
        foreseen, taken = compared(scale, studies, folder / scale)
        say(f"  foreseen {foreseen:.1f} core-s, taken {taken:.1f}")
        name = f"core-seconds of {len(studies.split(','))} studies at scale {scale}, foreseen against taken"
        factor = max(foreseen, taken) / min(foreseen, taken)
        how = f"the larger over the smaller for {studies}, before anything of them ran"
        made.append(bar(name, factor, 1.5, {"foreseen": foreseen, "taken": taken}, "core-s", how))
    return made


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        print(json.dumps(bars(Path(temporary)), indent=1))
