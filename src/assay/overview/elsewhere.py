"""The same study at other scales: on which images it ran there, and what was found of its claims. No torch is imported.

What was found is what the other scale's report says, from results/<scale>/verdicts.json, or what the committed ledger lists.
Words of another text are none of this one's.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from assay.artifacts.ledger import LEDGER, read_ledger
from assay.language.configuration import results_folder
from assay.language.recipes import plug_name
from assay.language.scales import load_scale, root_nodes, scales
from assay.language.studies import load_studies
from assay.language.study import Study, digest_of_judgement
from assay.storage.files import read_json
from assay.storage.places import WORK, config_of


@dataclass(frozen=True)
class Elsewhere:
    """A study at another scale. images: what its networks were trained on, as readers call it. word, count: on the paper. claims:
    the claim's text -> holds, fails or open. controls: those that did not pass, where they are known."""

    scale: str
    images: str
    word: str
    count: str
    claims: Mapping[str, str]
    controls: tuple[str, ...] = ()


def images_of(study: Study, root: Path = WORK) -> str:
    """What the networks of a study's arms were trained on, e.g. "shapes", "Fashion-MNIST and MNIST"."""
    titles = load_scale(study.scale, config_of(root)).titles
    nodes = [node for cell in study.cells for node in root_nodes(cell.recipe.data["world"])]
    names = {plug_name(node) for node in nodes}
    return " and ".join(sorted(titles.get(name, name.replace("_", " ")) for name in names))


def elsewhere(study: Study, root: Path = WORK) -> tuple[Elsewhere, ...]:
    """What was found of the study at the other scales that conclude something, in the order of their names."""
    return tuple(_found(study, root))


def _found(study: Study, root: Path) -> Iterator[Elsewhere]:
    config = config_of(root)
    for scale in scales(config):
        judged = (
            _judged_at(scale, root).get(study.name) if scale != study.scale and load_scale(scale, config).conclusive else None
        )
        if judged is None:
            continue
        there = load_studies(scale, config, only=[study.name], left_out=True)[study.name]
        if judged.judgement == digest_of_judgement(json.loads(study.judgement)) and not there.stand_ins.left_out:
            yield Elsewhere(scale, images_of(there, root), judged.word, judged.count, judged.claims, judged.controls)


@dataclass(frozen=True)
class _Judged:
    """What is known of a study at a scale, and the digest of the text that it is said of."""

    judgement: str
    word: str
    count: str
    claims: Mapping[str, str]
    controls: tuple[str, ...] = ()


def _judged_at(scale: str, root: Path) -> Mapping[str, _Judged]:
    """What the scale's report says of each study; of others, what the ledger does."""
    report, ledger = root / results_folder(scale) / "verdicts.json", root / LEDGER
    here = _reported(report, report.stat().st_mtime_ns) if report.exists() else {}
    return (_released(scale, root, ledger.stat().st_mtime_ns) if ledger.exists() else {}) | here


@lru_cache(maxsize=4)
def _reported(path: Path, changed_ns: int) -> dict[str, _Judged]:
    found = {}
    for name, record in read_json(path)["studies"].items():
        claims = {claim["text"]: claim["word"] for claim in record["expectations"]}
        controls = tuple(control["text"] for control in record["controls"] if not control["passed"])
        found[name] = _Judged(record["rests_on"]["judgement"], record["word"], record["count"], claims, controls)
    return found


@lru_cache(maxsize=8)
def _released(scale: str, root: Path, changed_ns: int) -> dict[str, _Judged]:
    lines = [line for (of, _), line in read_ledger(root).items() if of == scale]
    if not lines:
        return {}
    from assay.judging.release import Release  # numpy and scipy, which a scale without lines does without

    release, found = Release.at(scale, root), {}
    for line in lines:
        words = [claim.word for claim in release.conclusion(line.study).claims]
        claims = dict(zip((claim.text for claim in line.claims), words, strict=True))
        found[line.study] = _Judged(line.judgement, *release.word_and_count(line.study), claims)
    return found
