"""A project of one study in a folder of its own: scale, study, evidence, verdicts, archive, and a test that vouches."""

import json
from pathlib import Path

import yaml

from assay.artifacts.entries import Entry, StoredFile, block_key, write_entries
from assay.artifacts.ledger import Found, Line, write_ledger
from assay.evidence.tables import FILES, FORMAT, Observation, study_code, write_evidence
from assay.judging.judging import write_verdicts
from assay.language.blocks import Block
from assay.language.studies import Study, load_studies
from assay.language.study import digest_of_judgement
from assay.overview.coverage import vouches
from assay.pipeline.sources import Sources
from assay.provenance.platforms import platform_key
from assay.storage.files import read_json, sha256
from assay.storage.receipts import Receipt

SCALE = {
    "description": "for tests",
    "first_look": 5,
    "block": 5,
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

HERE = {
    "system": "Linux",
    "machine": "x86_64",
    "cpu": "This Processor",
    "vendor": "this",
    "features": ["avx2", "fma"],
    "device": "cpu",
    "threads": 1,
    "precision": "float32",
    "torch": "2.13.0",
    "torchvision": "0.28.0",
    "timm": "1.0.20",
    "numpy": "2.3.0",
}
ELSEWHERE = HERE | {"cpu": "Another Processor", "vendor": "another"}


def write_block(folder: Path, study: Study, block: Block, erm: float = 0.6, **changes) -> None:
    """A block's evidence as its job writes it: mixup is better than erm by a tenth in all seeds."""
    arms = {"erm": (erm, 0.001), "mixup": (erm + 0.1, 0.002)}
    rows = [
        Observation(study.name, arm, seed, "top1", None, mean + spread * (seed - 2))
        for arm, (mean, spread) in arms.items()
        for seed in block.repetitions
    ]
    provenance = {
        "format": FORMAT,
        "study": study.name,
        "scale": study.scale,
        "block": block.name,
        "draws": "judged",
        "seeds": list(block.repetitions),
        "study_sha256": study.digest,
        "code": study_code(study),
        "recipes": {recipe.name: ["0" * 64 for _ in block.repetitions] for recipe in study.recipes},
        "tested": "16 px shapes",
        "versions": {},
        "platform": HERE,
        "trained_on": ["1 x cpu"],
        "data": {},
        "commit": None,
        "dirty": None,
        "date": "2026-11-01",
        "cost": {
            "train_core_s": 2.0 * len(study.recipes),
            "networks": {recipe.name: 2.0 for recipe in study.recipes},
            "measure_core_s": 0.5,
        },
    }
    write_evidence(folder, rows, {}, provenance | changes)


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

    def measure(self, name: str = "mixup", erm: float = 0.6, block: str = "0-4", **changes) -> Path:
        """Evidence as fresh as can be: mixup is better than erm by a tenth in all seeds. Returns the block's folder."""
        folder = self.folder(name, block)
        write_block(folder, self.compiled(name), Block.named(block), erm, **changes)
        self.vouch(name, block)
        return folder

    def vouch(self, name: str = "mixup", block: str = "0-4") -> None:
        """Leave the receipt that the job which measured the block leaves."""
        log = self.results / "logs" / "measure" / name / f"{block}.log"
        Receipt(log).write([self.folder(name, block) / file for file in FILES])

    def folder(self, name: str = "mixup", block: str = "0-4") -> Path:
        """Where a block of a study lies."""
        return self.results / "observations" / name / block

    def archive(self, name: str = "mixup", erm: float = 0.6, block: str = "0-4", day: int = 1, **changes) -> Entry:
        """Evidence as `measure` leaves it, measured elsewhere and archived on this day of November."""
        study, repetitions = self.compiled(name), Block.named(block)
        changes = {"platform": ELSEWHERE} | changes
        key = block_key(study.scale, name, repetitions, platform_key(changes["platform"]))
        folder = self.root / "archive" / key
        write_block(folder, study, repetitions, erm, **changes)
        said = read_json(folder / "provenance.json")
        sizes = {file: (folder / file).stat().st_size for file in FILES}
        entry = Entry(
            format=1,
            key=key,
            archived=f"2026-11-{day:02}T00:00:00+00:00",
            commit="c" * 40,
            files={file: StoredFile(md5="0" * 32, sha256=sha256(folder / file), size=size) for file, size in sizes.items()},
            plan=said["study_sha256"],
            code=said["code"],
            platform=said["platform"],
            date=said["date"],
            judgement=digest_of_judgement(json.loads(study.judgement)),
            cost={part: said["cost"][part] for part in ("train_core_s", "measure_core_s")},
        )
        write_entries({key: entry}, self.root)
        write_ledger({(study.scale, name): self._line(study, repetitions, entry)}, self.root)
        return entry

    def _line(self, study: Study, repetitions: Block, entry: Entry) -> Line:
        """What is released of a study: all that it claims holds."""
        claims = [Found(text=text, holds=0.001, fails=1, reversed=1, absent=1) for text in study.file.expect]
        return Line(
            scale=study.scale,
            study=study.name,
            judgement=entry.judgement,
            blocks={repetitions.name: entry.files["observations.csv"].sha256},
            first=0,
            seeds=len(repetitions.repetitions),
            valid=True,
            claims=claims,
        )

    @property
    def sources(self) -> Sources:
        """Where the evidence lies that a reader of the results folder finds."""
        return Sources.read(self.results)

    def judge(self, *names: str) -> None:
        judgements = [json.loads(self.compiled(name).judgement) for name in names or ("mixup",)]
        write_verdicts(judgements, self.sources, self.results.name, self.root)

    def _write(self, path: str, text: str) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
