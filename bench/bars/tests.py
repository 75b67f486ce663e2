"""What more studies add to `make test`: the parts that read studies, in this checkout and in one with 160 copies more.

    python bench/bars/tests.py

All other tests do not see how many studies there are: which are computed is bounded by the protocols, objectives and models there
are (docs/testing.md), and that is checked here too. Core seconds are told as multiples of `import torch` in the same run, since
the whole suite takes too long to be run beside. Less than it costs at 40 studies, in the same unit, is written below; what it
costs is measured by `pytest --core-seconds 1`.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STUDIES = 200
SUITE = 1000  # less than what the suite costs at 40 studies, over what `import torch` does
CHOSEN = "import sys; sys.path.insert(0, 'tests/pipeline'); from choosing import choice; print(len(choice(False).computed))"
READING = (
    [sys.executable, "-m", "assay.cli", "check"],
    [sys.executable, "-m", "snakemake", "--lint", "--dry-run", "--config", "scale=ci"],
    [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--collect-only"],
    [
        *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
        *("tests/core/test_canaries.py", "tests/core/test_growth.py", "tests/core/test_plan.py", "tests/core/test_studies.py"),
        *(
            "tests/core/test_compiling.py",
            "tests/cluster/test_forecast.py",
            "tests/cluster/test_stand_ins.py",
            "tests/pipeline/test_choosing.py",
        ),
    ],
)


def core_seconds(command: list[str], folder: Path) -> float:
    """What a command and its children compute with."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = os.environ | {"PYTHONPATH": str(folder / "src")}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    print(f"{spent:7.1f} core-s, exit {done.returncode}: {' '.join(command[1:6])} in {folder}", file=sys.stderr)
    return spent


def chosen(folder: Path) -> int:
    """How many studies the suite computes there."""
    environment = os.environ | {"PYTHONPATH": str(folder / "src")}
    return int(subprocess.run([sys.executable, "-c", CHOSEN], cwd=folder, env=environment, stdout=-1, check=True).stdout)


def bars(folder: Path) -> list[dict]:
    subprocess.run([sys.executable, str(ROOT / "bench/copies.py"), str(folder), str(STUDIES)], check=True)
    torch = core_seconds([sys.executable, "-c", "import torch"], ROOT)
    few, many = (sum(core_seconds(command, place) for command in READING) for place in (ROOT, folder))
    computed = [chosen(place) for place in (ROOT, folder)]
    return [
        {
            "name": f"make test at {STUDIES} studies against that at 40",
            "value": round(1 + (many - few) / torch / SUITE, 3),
            "limit": 1.3,
            "sense": "at most",
            "measured": {"import torch": torch, "what reads studies, at 40": few, f"at {STUDIES}": many},
            "unit": "core-s",
            "how": f"what reads studies costs more by, over the suite's {SUITE} times import torch at 40",
        },
        {
            "name": f"studies that make test computes, at {STUDIES} against 40",
            "value": round(computed[1] / computed[0], 3),
            "limit": 1.3,
            "sense": "at most",
            "measured": {"at 40": computed[0], f"at {STUDIES}": computed[1]},
            "unit": "studies",
            "how": "all evidence is fresh, so it is a cover of protocols, objectives and models, and a sample",
        },
    ]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        print(json.dumps(bars(Path(temporary, "many")), indent=1))
