"""How well core seconds are predicted: the forecast of a dry run beside what the run then took, in clones of this checkout.

The archive's records are of another processor unless it is run on that one; at scale ci nothing is archived, so all is foreseen
from other sizes. What Snakemake itself takes, as measured by a second dry run, is subtracted.
"""

import ctypes
import json
import subprocess
import tempfile
from pathlib import Path

from one_job import ADOPT, BIN, ROOT, bar, say, spent

from assay.pipeline.prediction import PLAN_FILE

RUNS = {"ci": "gpfq,mixup,zoom", "laptop": "gpfq,boundary_tilting,fgsm"}


def compared(scale: str, studies: str, folder: Path) -> tuple[float, float]:
    """Core seconds of computing these studies: foreseen, and taken."""
    subprocess.run(["git", "clone", "-q", str(ROOT), str(folder)], check=True)
    command = [BIN / "snakemake", "--cores", "2", "--config", f"scale={scale}", "evidence=recomputed", f"studies=[{studies}]"]
    plan, own_place = folder.with_suffix(".json"), folder.with_suffix(".run")
    own_place.mkdir()
    # A place of its own: from a process that others have started, jobs would be forked without a start to pay for.
    variables = {"PYTHONPATH": folder / "src", "TMPDIR": own_place, "XDG_RUNTIME_DIR": own_place, PLAN_FILE: plan}
    variables = {name: str(value) for name, value in variables.items()}
    spent([*command, "--dry-run"], folder, **variables)  # compiles all studies, which the run takes up
    foreseen = 60 * json.loads(plan.read_text())["core_minutes"]
    own = spent([*command, "--dry-run"], folder, **variables)
    return foreseen, spent(command, folder, **variables) - own


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
    ctypes.CDLL(None).prctl(ADOPT, 1, 0, 0, 0)  # or what forked jobs take would be nobody's
    with tempfile.TemporaryDirectory() as temporary:
        print(json.dumps(bars(Path(temporary)), indent=1))
