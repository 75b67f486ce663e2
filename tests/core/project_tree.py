"""A project of one study in a folder of its own: scale, study, evidence, verdicts, and a test that vouches for its plugs."""

import json
from pathlib import Path

import yaml

from assay.evidence.tables import Observation, study_code, write_evidence
from assay.judging.judging import write_verdicts
from assay.language.studies import Study, load_studies
from assay.overview.coverage import vouches

SCALE = {
    "description": "for tests",
    "seeds": 5,
    "world": {"size": 16, "train": 64, "test": 32},
    "budget": {"epochs": 1, "batch": 32},
}
STUDY = {
    "paper": "P166",
    "question": "Does it help?",
    "base": {"world": "shapes", "model": "linear"},
    "arms": {"erm": {}, "mixup": {"augment": "mixup"}},
    "protocol": "classify",
    "controls": ["erm.top1 > 0.3"],
    "expect": ["mixup.top1 > erm.top1"],
}
VOUCHING = """
import pytest


@pytest.mark.vouches("augment/mixup", paper="P166")
@pytest.mark.parametrize("alpha", [1])
def test_mixed(alpha): ...


class TestMeasures:
    @pytest.mark.vouches("protocols/classify", paper="P166")
    def test_counted(self): ...
"""


class Tree:
    """The project at `root`; every method leaves it as a user or a run would."""

    def __init__(self, root: Path):
        self.root, self.results = root, root / "results" / "laptop"

    def complete(self) -> "Tree":
        """Everything a working row needs."""
        self.scale()
        self.study()
        self.test(VOUCHING)
        self.measure()
        self.judge()
        return self

    def scale(self, name: str = "laptop", **changes) -> None:
        self._write(f"config/scales/{name}.yaml", yaml.safe_dump(SCALE | changes))

    def study(self, name: str = "mixup", family: str = "training-recipes", **changes) -> None:
        self._write(f"config/studies/{family}/{name}.yaml", yaml.safe_dump(STUDY | changes, sort_keys=False))

    def test(self, text: str) -> None:
        self._write("tests/test_mixup.py", text)
        vouches.cache_clear()

    def compiled(self, name: str = "mixup") -> Study:
        return load_studies("laptop", self.root / "config", only=[name])[name]

    def measure(self, name: str = "mixup", erm: float = 0.6, **changes) -> None:
        """Evidence as fresh as can be: mixup is better than erm by a tenth in all seeds."""
        study = self.compiled(name)
        arms = {"erm": (erm, 0.001), "mixup": (erm + 0.1, 0.002)}
        rows = [
            Observation(name, arm, seed, "top1", None, mean + spread * (seed - 2))
            for arm, (mean, spread) in arms.items()
            for seed in range(5)
        ]
        provenance = {
            "study_sha256": study.digest,
            "code": study_code(study),
            "data": {},
            "versions": {},
            "platform": {"system": "Linux", "device": "cpu", "trained_on": ["1 x cpu"]},
            "recipes": [recipe.name for recipe in study.recipes],
            "seeds": list(range(5)),
            "cost": {
                "train_core_s": 2.0 * len(study.recipes),
                "networks": {recipe.name: 2.0 for recipe in study.recipes},
                "measure_core_s": 0.5,
            },
            "tested": "16 px shapes",
            "commit": None,
            "dirty": None,
        }
        write_evidence(self.results / "observations" / name, rows, {}, provenance | changes)

    def judge(self, *names: str) -> None:
        judgements = [json.loads(self.compiled(name).judgement) for name in names or ("mixup",)]
        write_verdicts(judgements, self.results)

    def _write(self, path: str, text: str) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
