"""Deciding where the evidence of each study comes from, once, before the graph is built.

A fresh archived block counts (of several platforms' the one archived first), else a fresh one from here, else it is computed.
What is computed here although the archive has it is a replication, shown beside it. Blocks of two platforms are never mixed.
A run of some studies chooses what is computed, never what is judged or shown.
"""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Literal

from assay.artifacts.archiving import freshness_of, own_blocks
from assay.artifacts.entries import Entry, by_study, read_entries
from assay.artifacts.retiring import retired_texts
from assay.errors import AssayError
from assay.evidence.freshness import FRESH, STALE, UNPROVEN, Freshness, freshness
from assay.evidence.tables import FILES, FORMAT, study_code
from assay.language.blocks import Block
from assay.language.draws import JUDGED, current, made_under
from assay.language.plugs import kinds
from assay.language.study import Study
from assay.pipeline.sources import Place, Sources
from assay.provenance.platforms import platform_key
from assay.storage.files import read_json
from assay.storage.places import WORK
from assay.storage.receipts import Receipt

Mode = Literal["auto", "recomputed", "archive"]


def decide(
    studies: Mapping[str, Study], chosen: Collection[str], mode: Mode, results: Path, platform: dict, root: Path = WORK
) -> Sources:
    """Where the evidence of all studies of a scale comes from.

    chosen: the studies to compute where they have none; of the others, what there is counts. platform: this machine's, on which
    what is computed will lie.
    """
    entries = list(read_entries(root).values()) if current() == JUDGED else []  # nothing of a trial is archived
    archived = {scale: by_study(entries, scale) for scale in {study.scale for study in studies.values()}}
    places: dict[str, tuple[Place, ...]] = {}
    lacking: dict[str, tuple[str, ...]] = {}
    retired: dict[str, tuple[dict, ...]] = {}
    for name, study in studies.items():
        # Of what is not chosen, the page stays as it is.
        own_mode = "auto" if mode == "recomputed" and name not in chosen and current() == JUDGED else mode
        lines = archived[study.scale].get(name, [])
        if texts := retired_texts(study, lines):
            retired[name] = texts
        own = lines if own_mode != "recomputed" else []
        wanted = name in chosen and mode != "archive"
        places[name], lacking[name] = _decide_one(study, own, wanted, own_mode, results, platform_key(platform))
    return Sources(results, places, {name: why for name, why in lacking.items() if why}, {}, retired=retired)


def sources_now(studies: Mapping[str, Study], results: Path, root: Path = WORK) -> Sources:
    """What counts as the evidence of these studies now, where nothing is computed."""
    return decide(studies, (), "auto", results, {}, root)


def _decide_one(
    study: Study, entries: list[Entry], wanted: bool, mode: Mode, results: Path, platform: str
) -> tuple[tuple[Place, ...], tuple[str, ...]]:
    archived = _archived(study, entries)
    usable = {key: [place for place in each if place.word != STALE] for key, each in archived.items()}
    if mode == "archive":
        best = _longest(usable.values(), study.first) or _longest(archived.values(), study.first)
        return best, () if best else ("the archive has no evidence of it",)
    lying = _lying_here(study, results)
    here = _counting(study, lying, mode, wanted)
    offers = {key: _best([*usable.get(key, ()), *here.get(key, ())]) for key in dict.fromkeys([*usable, *here])}
    wholes = [each for each in offers.values() if set(study.blocks) <= {place.block for place in each}]
    if wholes:
        # Of the platforms, which stand in the order of archiving, the first whose blocks are all fresh.
        return _prefix(min(wholes, key=lambda each: any(place.word != FRESH for place in each)), study.first), ()
    if wanted:
        made = {place.block: place for place in offers.get(platform, ())}
        return tuple(made.get(block, Place(block, "computed")) for block in study.blocks), ()
    partial = _longest(offers.values(), study.first)
    stale = [reason for each in archived.values() for place in each for reason in place.reasons]
    stale += [reason for _, _, state in lying if state.word == STALE for reason in state.reasons]
    return partial, () if partial else (f"its evidence is stale: {stale[0]}",) if stale else ()


def _best(places: Iterable[Place]) -> list[Place]:
    """One place for each block, in the order of blocks: the fresh before the unproven, the archive's before that from here."""
    found: dict[Block, Place] = {}
    for place in sorted(places, key=lambda place: (place.word != FRESH, place.where != "archive")):
        found.setdefault(place.block, place)
    return [found[block] for block in sorted(found)]


def _longest(offers: Iterable[Iterable[Place]], first: int) -> tuple[Place, ...]:
    """The offer that goes furthest without a gap; of equally long ones the first that is fresh, else the first."""
    prefixes = [_prefix(each, first) for each in offers]
    return max(prefixes, key=lambda each: (len(each), all(place.word == FRESH for place in each)), default=())


def _archived(study: Study, entries: Iterable[Entry]) -> dict[str, list[Place]]:
    """A study's archived blocks by platform, the one archived first in front."""
    platforms = own_blocks(study, entries)
    return {platform: [_archived_place(study, entry) for entry in each] for platform, each in platforms.items()}


def _archived_place(study: Study, entry: Entry) -> Place:
    found = freshness_of(study, entry)
    return Place(entry.block, "archive", found.word, found.reasons, entry.key, entry.files["observations.csv"].sha256)


def _prefix(places: Iterable[Place], first: int) -> tuple[Place, ...]:
    """The places from a study's first repetition up to the first gap between their blocks."""
    found: list[Place] = []
    for place in places:
        if place.block.first != (found[-1].block.last + 1 if found else first):
            break
        found.append(place)
    return tuple(found)


def _lying_here(study: Study, results: Path) -> list[tuple[Block, dict, Freshness]]:
    """A study's blocks in the results folder that are whole, with their provenance and how they stand to the study."""
    found = []
    for block in study.blocks:
        folder = results / "observations" / study.name / block.name
        if not _is_as_its_job_left_it(folder, results / "logs" / "measure" / study.name / f"{block.name}.log"):
            continue
        try:
            provenance = read_json(folder / "provenance.json")
            platform_key(provenance["platform"])
            state = freshness(study, provenance)
        except (AssayError, KeyError):
            continue
        if provenance.get("format") == FORMAT and made_under(provenance) == current():
            found.append((block, provenance, state))
    return found


def _counting(
    study: Study, lying: Iterable[tuple[Block, dict, Freshness]], mode: Mode, wanted: bool
) -> dict[str, tuple[Place, ...]]:
    """Those of the blocks that count, by platform. Where nothing of the study is computed, what a method now computes otherwise
    is shown as it is, since a page never goes because of a selection."""
    found: dict[str, list[Place]] = {}
    for block, provenance, state in lying:
        again = wanted and _plug_changed(study, provenance)
        if state.word == FRESH or (mode == "auto" and state.word == UNPROVEN and not again):
            place = Place(block, "here", state.word, state.reasons, sha256=provenance["sha256"])
            found.setdefault(platform_key(provenance["platform"]), []).append(place)
    return {platform: tuple(places) for platform, places in found.items()}


def _is_as_its_job_left_it(folder: Path, log: Path) -> bool:
    receipt = Receipt(log)
    paths = [folder / name for name in FILES]
    return all(path in receipt.files and path.is_file() and receipt.holds(path) for path in paths)


def _plug_changed(study: Study, provenance: dict) -> bool:
    """Whether a method differs and not only what all methods share: who edits a method wants it run again."""
    old, new = provenance["code"], study_code(study)
    changed = {module for module in {*old, *new} if old.get(module) != new.get(module)}
    return any(module.split(".")[1] in kinds() for module in changed if module.startswith("assay."))
