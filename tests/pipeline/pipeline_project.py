"""A copy of the project with studies of its own, in which tests may edit sources, break files and kill runs."""

import atexit
import os
import re
import shutil
import subprocess
import sys
import tempfile
from compileall import compile_dir
from functools import cache
from pathlib import Path
from py_compile import PycInvalidationMode

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("Snakefile", "rules", "workflow", "profiles", "config", "envs", "slurm", "src", "report", "docs/data")
SNAKEMAKE = Path(sys.executable).with_name("snakemake")

# Asked for where nothing is looked at that is drawn or written from it.
VERDICTS = "results/ci/verdicts.json"

PROTOCOL = '''"""Accuracy on the test split, for tests of the pipeline."""

from assay.measuring.evaluate import predict

METRICS = {"accuracy": "Accuracy [0 to 1, higher is better]: share of test images classified correctly"}


def probe(arm, *, shift: float = 0.0):
    """Yields the accuracy plus `shift`."""
    test = arm.world.test
    yield "accuracy", (predict(arm.network, test.images).argmax(1) == test.labels).double().mean().item() + shift
'''

PLAIN = """
paper: P166
question: Does it run?
base: {world: shapes, model: linear, budget: {epochs: 1}}
arms:
  plain: {}
  smooth: {objective: {cross_entropy: {label_smoothing: 0.1}}}
protocol: probe
controls: [plain.accuracy > -1]
expect: [smooth.accuracy > plain.accuracy]
"""

TUNED = """
paper: P127
question: Does a network that starts from another run, and is the shared one trained once?
base: {world: shapes, model: linear, budget: {epochs: 1}}
networks:
  first: {}
arms:
  adam: {optimizer: adam}
  tuned: {start: first, augment: noisy}
protocol: probe
controls: [adam.accuracy > -1]
expect: [tuned.accuracy > adam.accuracy]
"""

AUGMENT = '''"""Pixel noise, for tests of the pipeline."""

from dataclasses import replace

import torch

from assay.augment._amount import AMOUNT


def noisy(batch, generator, *, scale: float = 1.0):
    """Adds Gaussian noise."""
    noise = torch.randn(batch.images.shape, generator=generator)
    return replace(batch, images=batch.images + scale * AMOUNT * noise)
'''


@cache
def compiled_sources() -> Path:
    """A copy of src/ with what Python makes of it, which takes each process in a project a tenth of a core-second or more.

    Compiled files are told from those of edited sources by the sources' hashes, not by times that lie within a second.
    """
    folder = Path(tempfile.mkdtemp(prefix="assay-src-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    compile_dir(folder / "src", quiet=1, invalidation_mode=PycInvalidationMode.CHECKED_HASH)
    return folder / "src"


class Project:
    """A copy of the project in `root`."""

    def __init__(self, root: Path):
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        for part in (*PARTS, "data", "data.dvc", "data.sha256"):
            source = compiled_sources() if part == "src" else ROOT / part
            copy = shutil.copytree(source, root / part) if source.is_dir() else shutil.copy(source, root / part)
            assert Path(copy).exists()
        for folder in ("studies", "seeds"):  # those of the project's own studies
            shutil.rmtree(root / "config" / folder, ignore_errors=True)
        # A network a job, so that tests can tell which of them ran.
        self.edit("config/scales/ci.yaml", "networks_per_job: 16", "networks_per_job: 1")
        self.edit("config/config.yaml", "recheck: 3 ", "recheck: 0 ")
        self.write("src/assay/protocols/probe.py", PROTOCOL)
        self.write("src/assay/augment/noisy.py", AUGMENT)
        self.write("src/assay/augment/_amount.py", '"""How much."""\n\nAMOUNT = 0.05\n')
        self.study("plain", PLAIN)
        self.study("tuned", TUNED)

    def copy(self, root: Path) -> "Project":
        """The same project, results and Snakemake's records included, somewhere else."""
        shutil.copytree(self.root, root, dirs_exist_ok=True, symlinks=True)
        return Project.at(root)

    @classmethod
    def at(cls, root: Path) -> "Project":
        """The project that lies there."""
        found = cls.__new__(cls)
        found.root = root
        return found

    def write(self, path: str, text: str) -> Path:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        return target

    def study(self, name: str, text: str) -> Path:
        return self.write(f"config/studies/tests/{name}.yaml", text)

    def edit(self, path: str, old: str, new: str) -> None:
        text = (self.root / path).read_text()
        assert old in text
        (self.root / path).write_text(text.replace(old, new))

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(self.root / "src"), "PYTHONDONTWRITEBYTECODE": "1"}

    def command(self, *arguments: str) -> list[str]:
        config = [] if any(a.startswith("scale=") for a in arguments) else ["--config", "scale=ci"]
        return [str(SNAKEMAKE), "--cores", "2", *arguments, *config]

    def snakemake(self, *arguments: str, timeout: int = 1200) -> subprocess.CompletedProcess:
        return self.command_in_full(self.command(*arguments), timeout)

    def command_in_full(self, command: list[str], timeout: int = 1200) -> subprocess.CompletedProcess:
        """Run any command in the project."""
        return subprocess.run(command, cwd=self.root, env=self.environment, capture_output=True, text=True, timeout=timeout)

    def run(self, *arguments: str, timeout: int = 1200) -> str:
        """Run and expect success; all output."""
        done = self.snakemake(*arguments, timeout=timeout)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def planned(self, rule: str, *arguments: str) -> set[str]:
        """What a dry run would do of one rule, by name of the network, study or world, whichever block of it."""
        verb = {"train": "train", "measure": "measure", "world": "draw world", "figure": "draw"}[rule]
        return set(re.findall(rf"^Job \d+: {verb} ([a-z0-9_-]+?)(?:[-/]\d+-\d+)?$", self.run("-n", *arguments), re.M))

    def computed(self, *arguments: str) -> set[str]:
        """What a dry run would retrieve, train and measure, as its jobs say."""
        return set(re.findall(r"^Job \d+: ((?:retrieve|train|measure) \S+)$", self.run("-n", *arguments), re.M))

    def python(self, code: str) -> subprocess.CompletedProcess:
        return self.command_in_full([sys.executable, "-c", code])

    def results(self) -> dict[str, bytes]:
        """Weights, observations and verdicts by path, without times and costs."""
        return {**self.measured(), "verdicts.json": (self.root / "results/ci/verdicts.json").read_bytes()}

    def measured(self) -> dict[str, bytes]:
        """Weights and observations by path, without what is kept beside them."""
        folder = self.root / "results" / "ci"
        files = [*folder.rglob("*.safetensors"), *folder.rglob("observations.csv"), *folder.rglob("arrays.npz")]
        return {
            str(path.relative_to(folder)): path.read_bytes()
            for path in files
            if not {"set-aside", "cells", "earlier"} & {*path.parts}
        }
