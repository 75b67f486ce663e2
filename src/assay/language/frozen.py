"""Frozen studies: what trial draws said of a study's design before it was judged.

config/frozen/<scale>/<study>.json    the text that was tried, the spread of every claim, accuracy at one and two budgets
config/frozen/before.json             texts that were judged before such records were kept

`assay freeze` writes a record from a trial (assay.judging.freezing), and it is committed with the study. A run of judged draws
at a scale that concludes something refuses a study whose text has none: its design might have been chosen by looking at them.
"""

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from assay.errors import EvidenceError, StudyError
from assay.language.configuration import Config
from assay.language.draws import JUDGED, NAME
from assay.language.inputs import parse, shown
from assay.language.scales import load_scale
from assay.language.study import Study
from assay.storage.files import read_json, write_atomic
from assay.storage.places import CONFIG

ACCURACY = "top1"  # what protocols that measure test accuracy call it, and so the margin on it
Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class _Strict(BaseModel):
    # Built when the first record is read: most checks read none.
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, defer_build=True)


class Claim(_Strict):
    """An expectation's effect over the trial's seeds: mean and standard deviation, and the margin it will be judged with.

    once, twice: mean effect over the trial's first repetitions as they are, and with networks trained for twice the epochs; None
    where the study trains none, and in records made before this was measured. repetitions: how many those are.
    """

    text: str
    mean: float
    deviation: float
    margin: float
    once: float | None = None
    twice: float | None = None
    repetitions: int = 0

    @property
    def change(self) -> float | None:
        """By how much twice the budget moves the effect."""
        return None if self.once is None or self.twice is None else abs(self.twice - self.once)

    @property
    def allowed(self) -> float:
        """The change that a budget near its plateau may leave: the larger of the margin and half of what seeds vary by."""
        return max(self.margin, self.deviation / 2)

    @property
    def noise(self) -> float:
        """The standard error of the change if the two trainings vary independently, each as seeds do."""
        return self.deviation * (2 / self.repetitions) ** 0.5 if self.repetitions else 0.0


class Accuracy(_Strict):
    """A network's test accuracy: its first repetitions trained once and twice as long, and the standard deviation over the
    trial's seeds of the former."""

    once: float
    twice: float
    deviation: float

    @property
    def change(self) -> float:
        return abs(self.twice - self.once)


class Frozen(_Strict):
    """What a trial said of a study: config/frozen/<scale>/<study>.json."""

    format: Literal[1] = 1
    study: str
    scale: str
    judged_sha256: Digest
    draws: Annotated[str, Field(pattern=f"^{NAME}$")]
    seeds: list[int]
    claims: list[Claim]
    accuracy: dict[str, Accuracy]
    left_out: dict[str, str]

    @property
    def text(self) -> str:
        """The file's content."""
        return json.dumps(self.model_dump(), indent=1, sort_keys=True) + "\n"


class Before(_Strict):
    """Judged texts, by study, that no trial was recorded for, and why: config/frozen/before.json. Nothing is added to it."""

    format: Literal[1] = 1
    why: str
    studies: dict[str, Digest]


def record_path(study: str, scale: str, config: Path = CONFIG) -> Path:
    return config / "frozen" / scale / f"{study}.json"


def write_record(record: Frozen, config: Path = CONFIG) -> Path:
    """Write the record to its place; the path."""
    path = record_path(record.study, record.scale, config)
    write_atomic(path, record.text)
    return path


def records(study: str, config: Path = CONFIG) -> list[Frozen]:
    """All records of a study, by scale. StudyError for one that is damaged, of an unknown format, or not in its place."""
    return [_read(path) for path in sorted((config / "frozen").glob(f"*/{study}.json"))]


def _read(path: Path) -> Frozen:
    fix = f"restore it with git, or run: assay freeze {path.stem} --scale {path.parent.name}"
    try:
        record = parse(Frozen, read_json(path), path)
    except EvidenceError:
        raise StudyError(f"{shown(path)}: not a JSON object; {fix}") from None
    except StudyError as error:
        raise StudyError(f"{error}; {fix}") from None
    if (record.study, record.scale) != (path.stem, path.parent.name):
        raise StudyError(f"{shown(path)}: is of study '{record.study}' at scale '{record.scale}'; {fix}")
    return record


def frozen_before(config: Path = CONFIG) -> Before:
    """The texts that were judged before records were kept; none where there is no such list."""
    path = config / "frozen" / "before.json"
    return _before(path, path.read_bytes()) if path.exists() else Before(why="", studies={})


@lru_cache(1)
def _before(path: Path, text: bytes) -> Before:
    """Checked once for all studies that ask; `text` is what the file holds."""
    try:
        return parse(Before, read_json(path), path)
    except EvidenceError:
        raise StudyError(f"{shown(path)}: not a JSON object; restore it with git") from None


def is_frozen(study: Study, config: Path = CONFIG) -> bool:
    """Whether there is a record of the study's present text. A text is frozen once, at whichever scale it was tried: it says the
    same at all of them, and a trial at a cluster's scale would cost as much as what it is to prepare."""
    return record_of(study, config) is not None


def record_of(study: Study, config: Path = CONFIG) -> Frozen | None:
    """The record of the study's present text, if there is one: that of its own scale before any other's."""
    found = [record for record in records(study.name, config) if record.judged_sha256 == study.judged_digest]
    return min(found, key=lambda record: record.scale != study.scale, default=None)


def was_before(study: Study, config: Path = CONFIG) -> bool:
    """Whether the study's present text was judged before records were kept, and has none since."""
    return frozen_before(config).studies.get(study.name) == study.judged_digest and not is_frozen(study, config)


def refuse_unfrozen(run: Config, studies: Collection[Study], say: Callable[[str], None], config: Path = CONFIG) -> None:
    """Raise StudyError, with what to run, if this run makes judged draws, at a scale that concludes something, of a study whose
    text was not frozen. Says how many of the studies pass because they were judged before records were kept.

    studies: those that the run measures.
    """
    if run.draws != JUDGED or not load_scale(run.scale, config).conclusive:
        return
    unrecorded = [study for study in studies if not is_frozen(study, config)]
    for study in unrecorded:
        if not was_before(study, config):
            raise StudyError(_refusal(study, config))
    if unrecorded:
        why = frozen_before(config).why
        say(f"{len(unrecorded)} of {len(studies)} studies to be measured were {why} (config/frozen/before.json)")


def _refusal(study: Study, config: Path) -> str:
    known = records(study.name, config) or study.name in frozen_before(config).studies
    what = "what it measures or claims changed since it was frozen or judged" if known else "was not tried on other draws first"
    at = f"scale={study.scale} 'studies=[{study.name}]'"
    return (
        f"{study.name}: {what}, so its judged draws are not made at scale {study.scale};"
        f" run: snakemake --config draws=trial {at}, then: assay freeze {study.name} --scale {study.scale}"
    )


def warnings_of(study: Study, config: Path = CONFIG) -> list[str]:
    """What the records of a study's present text give to think before it is judged; that there is none."""
    found = [record for record in records(study.name, config) if record.judged_sha256 == study.judged_digest]
    if not found:
        return [] if was_before(study, config) else [f"{study.name}: not frozen yet"]
    return [warning for record in found for warning in (*_narrow_margins(record), *_short(record, study.file.margin))]


def _narrow_margins(record: Frozen) -> Iterable[str]:
    for claim in record.claims:
        if claim.margin < claim.deviation / 2:
            yield (
                f"{record.study}: '{claim.text}': the margin {claim.margin:g} is less than half of what seeds vary by on trial"
                f" draws ({claim.deviation:g} at scale {record.scale})"
            )


def _short(record: Frozen, margins: Mapping[str, float]) -> Iterable[str]:
    """Budgets that are too short to say what longer ones would: of the claims where that was measured, else of the networks."""
    if any(claim.change is not None for claim in record.claims):
        return _moving_claims(record)
    return _short_budgets(record, margins)


def _moving_claims(record: Frozen) -> Iterable[str]:
    for claim in record.claims:
        if claim.change is not None and claim.change > claim.allowed + claim.noise:
            yield (
                f"{record.study}: '{claim.text}': twice the budget moves the effect from {claim.once:g} to {claim.twice:g}, by"
                f" more than {claim.allowed:g} and the {claim.noise:.2g} that {claim.repetitions} repetitions vary by (scale"
                f" {record.scale})"
            )


def _short_budgets(record: Frozen, margins: Mapping[str, float]) -> Iterable[str]:
    for network, accuracy in record.accuracy.items():
        limit = max(margins.get(ACCURACY, 0.0), accuracy.deviation / 2)
        if accuracy.change > limit:
            yield (
                f"{record.study}: {network}: twice the budget changes its accuracy from {accuracy.once:g} to {accuracy.twice:g},"
                f" by more than {limit:g} (scale {record.scale})"
            )
