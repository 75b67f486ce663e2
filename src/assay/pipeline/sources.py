"""Sources: where the evidence of each study comes from, as the main process of a run decided (see deciding.py).

It writes results/<scale>/plan.json. Jobs that read the Snakefile again, in the middle of the run, take the decision from there,
since by then other results lie there.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from assay.artifacts.archiving import check_archived
from assay.artifacts.entries import ARCHIVE, Entry, read_entries, world_key
from assay.errors import EvidenceError, StudyError
from assay.evidence.freshness import FRESH, STALE, UNPROVEN, Freshness
from assay.evidence.tables import Evidence, check_evidence, joined, joined_provenance, read_evidence, unpacked
from assay.language.blocks import Block
from assay.storage.files import read_json, write_atomic
from assay.storage.places import WORK

FORMAT = 2
FILE = "plan.json"


@dataclass(frozen=True)
class Place:
    """Where a block of a study lies, or will lie: in the archive (by its key), here, or computed in this run.

    word: fresh, unproven or stale, with the reasons; sha256: of its observations where they exist.
    """

    block: Block
    where: Literal["archive", "here", "computed"]
    word: str = FRESH
    reasons: tuple[str, ...] = ()
    key: str = ""
    sha256: str = ""


@dataclass(frozen=True)
class Sources:
    """The places of all studies' blocks below a results folder. A study without evidence has none, and maybe a reason why.

    needs: the training jobs that each study waits for in this run. rechecked: archived blocks that it computes again beside them.
    retired: what the archive says of texts that studies had before (assay.artifacts.texts).
    in_part: studies of which arms failed in this run, with the reason by label of each cell that lacks.
    """

    results: Path
    places: Mapping[str, tuple[Place, ...]]
    lacking: Mapping[str, tuple[str, ...]]
    needs: Mapping[str, tuple[str, ...]]
    rechecked: tuple[tuple[str, Block], ...] = ()
    retired: Mapping[str, tuple[dict, ...]] = field(default_factory=dict)
    in_part: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def shown(self) -> list[str]:
        """The studies that have evidence, or will have it after this run."""
        return [study for study, places in self.places.items() if places]

    @property
    def computed(self) -> list[tuple[str, Block]]:
        """What this run measures."""
        return [(study, p.block) for study, places in self.places.items() for p in places if p.where == "computed"]

    @property
    def local(self) -> list[tuple[str, Block]]:
        """What lies in the results folder, now or after this run."""
        return [(study, p.block) for study, places in self.places.items() for p in places if p.where != "archive"]

    def from_archive(self, study: str) -> bool:
        """Whether all of the study's evidence is the archive's."""
        places = self.places.get(study, ())
        return bool(places) and all(place.where == "archive" for place in places)

    def freshness(self, study: str) -> Freshness:
        """The least of the words on the study's blocks, with its reasons."""
        order = (FRESH, UNPROVEN, STALE)
        worst = max(self.places[study], key=lambda place: order.index(place.word))
        return Freshness(worst.word, worst.reasons)

    def checksums(self, study: str) -> dict[str, str]:
        """The sha256 of the study's observations by block, as their provenance says."""
        found = {}
        for place in self.places.get(study, ()):
            said = place.sha256 or read_json(self.folder(study, place.block) / "provenance.json")["sha256"]
            found[place.block.name] = said
        return found

    def folder(self, study: str, block: Block) -> Path:
        """Where a block lies in the results folder, whatever counts."""
        partial = partial_folder(self.results, study, block)
        if study in self.in_part and (partial / "provenance.json").exists():
            return partial
        return self.results / "observations" / study / block.name

    def drawing(self, study: str) -> Path:
        """Where the study's figure lies."""
        return self.results / (f"partial/{study}/figure.svg" if study in self.in_part else f"figures/{study}.svg")

    def evidence(self, study: str, root: Path = WORK) -> Evidence:
        """The study's evidence, all blocks together; EvidenceError where there is none, or it is damaged."""
        parts = [unpacked(folder, provenance) for folder, provenance in self._checked(study, root)]
        return joined([_without_cells(part, self.in_part.get(study, ())) for part in parts])

    def provenance(self, study: str, root: Path = WORK) -> dict:
        """What is said of the study's evidence, whose files are checked but not parsed; EvidenceError as `evidence`."""
        return joined_provenance([provenance for _, provenance in self._checked(study, root)])

    def _checked(self, study: str, root: Path) -> list[tuple[Path, dict]]:
        """The folder and the provenance of each of the study's blocks."""
        places = self.places.get(study, ())
        if not places:
            why = self.lacking.get(study) or (f"no evidence in {self.results}; run snakemake",)
            raise EvidenceError(f"{study}: {why[0]}")
        entries = read_entries(root) if any(place.where == "archive" for place in places) else {}
        found = [self._check(study, place, entries, root) for place in places]
        if study not in self.in_part:
            return found
        folders, provenances = zip(*found, strict=True)
        return list(zip(folders, _in_common(provenances, self.in_part[study]), strict=True))

    def _check(self, study: str, place: Place, entries: Mapping[str, Entry], root: Path) -> tuple[Path, dict]:
        if place.where != "archive":
            folder = self.folder(study, place.block)
            return folder, check_evidence(folder)
        if place.key not in entries:
            raise EvidenceError(f"{place.key}: is no longer in the archive; run snakemake again")
        entry = entries[place.key]
        return root / entry.folder, check_archived(entry, root)

    def withdraw(self, study: str) -> None:
        """Let no block from here vouch for damaged evidence any more: the next run measures it again."""
        for place in self.places.get(study, ()):
            try:
                if place.where != "archive":
                    read_evidence(self.folder(study, place.block))
            except EvidenceError:
                (self.folder(study, place.block) / "provenance.json").unlink(missing_ok=True)

    def failure(self, study: str) -> dict | None:
        """What the first failed job that the study waits for left: stage, error and log; the arms that failed, where others
        were measured."""
        logs = self.results / "logs"
        trained = [logs / "train" / f"{job}.failed.json" for job in self.needs.get(study, ())]
        measured = sorted((logs / "measure" / study).glob("*.failed.json"))
        found = next((read_json(path) for path in (*trained, *measured) if path.exists()), None)
        return found and found | ({"arms": self.in_part[study]} if study in self.in_part else {})

    def card(self, world: str, root: Path = WORK) -> Path:
        """The folder of a world's card: the archive's if it has one, else that of this run."""
        return self.cards([world], root)[world]

    def cards(self, worlds: Iterable[str], root: Path = WORK) -> dict[str, Path]:
        """The folders of the cards of several worlds."""
        entries, keys = read_entries(root), {world: world_key(self.results.name, world) for world in worlds}
        return {w: root / ARCHIVE / key if key in entries else self.results / "worlds" / w for w, key in keys.items()}

    def write(self) -> None:
        """Leave the decision where jobs and readers find it."""
        data = {
            "format": FORMAT,
            "places": {study: [_as_data(place) for place in places] for study, places in self.places.items()},
            "lacking": self.lacking,
            "needs": self.needs,
            "rechecked": [[study, block.name] for study, block in self.rechecked],
            "retired": self.retired,
        }
        write_atomic(self.results / FILE, json.dumps(data, indent=1))

    @classmethod
    def read(cls, results: Path) -> "Sources":
        """The decision of the run whose results these are; of a folder that no run decided on, what lies in it."""
        if not (results / FILE).exists():
            return cls(results, _lying_in(results), {}, {})
        data = read_json(results / FILE)
        if data.get("format") != FORMAT:
            raise EvidenceError(
                f"{results / FILE}: key 'format': {data.get('format')!r} (allowed: {FORMAT}); run snakemake again"
            )
        try:
            places = {study: tuple(map(_as_place, listed)) for study, listed in data["places"].items()}
            lists = ({study: tuple(lines) for study, lines in data[key].items()} for key in ("lacking", "needs"))
            rechecked = tuple((study, Block.named(block)) for study, block in data["rechecked"])
            retired = {study: tuple(texts) for study, texts in data["retired"].items()}
            return cls(results, places, *lists, rechecked, retired)
        except (AttributeError, KeyError, TypeError, ValueError, StudyError) as error:
            said = f"{type(error).__name__}: {error}"
            raise EvidenceError(f"{results / FILE}: is not as a run leaves it ({said}); run snakemake again") from None


def partial_folder(results: Path, study: str, block: Block) -> Path:
    """Where what was measured of a block lies of which arms failed (see partial.py)."""
    return results / "partial" / study / block.name


def _without_cells(evidence: Evidence, labels: Collection[str]) -> Evidence:
    """Evidence without these cells, by label."""
    if not labels:
        return evidence
    rows = [row for row in evidence.observations if not {row.arm, f"{row.arm}@{row.x}"} & set(labels)]
    arrays = {name: array for name, array in evidence.arrays.items() if name.rpartition("/")[0] not in labels}
    return Evidence(rows, arrays, evidence.provenance)


def _in_common(provenances: Sequence[dict], failed: Mapping[str, str]) -> list[dict]:
    """What is said of blocks of which cells failed, with the networks that all of them have."""
    names = set.intersection(*(set(each["recipes"]) for each in provenances))

    def of_these(networks: Mapping) -> dict:
        return {name: value for name, value in networks.items() if name in names}

    return [
        each
        | {"failed": dict(failed), "recipes": of_these(each["recipes"])}
        | {"cost": each["cost"] | {"networks": of_these(each["cost"]["networks"])}}
        for each in provenances
    ]


def _as_data(place: Place) -> dict:
    return asdict(place) | {"block": place.block.name}


def _as_place(data: dict) -> Place:
    return Place(**data | {"block": Block.named(data["block"]), "reasons": tuple(data["reasons"])})


def _lying_in(results: Path) -> dict[str, tuple[Place, ...]]:
    found: dict[str, list[Place]] = {}
    for path in sorted(results.glob("observations/*/*-*/provenance.json")):
        found.setdefault(path.parent.parent.name, []).append(Place(Block.named(path.parent.name), "here"))
    return {study: tuple(sorted(places, key=lambda place: place.block)) for study, places in found.items()}
