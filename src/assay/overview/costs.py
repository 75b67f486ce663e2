"""What studies cost in core seconds, as their evidence recorded it, each network counted once however many studies use it."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from assay.artifacts.archiving import pull
from assay.language.configuration import results_folder
from assay.language.study import Study
from assay.pipeline.deciding import sources_now
from assay.storage.places import WORK


@dataclass(frozen=True)
class Cost:
    """Core seconds of one study over all its seeds. own: of training networks that no other study asks for."""

    study: str
    networks: int
    training: float
    own: float
    measuring: float


@dataclass(frozen=True)
class Bill:
    """The costs of some studies, and what all of them together add to the others."""

    studies: tuple[Cost, ...]
    training: float
    own: float
    measuring: float

    def as_json(self) -> dict:
        return asdict(self)


def bill(chosen: Iterable[str], studies: Mapping[str, Study], root: Path = WORK) -> Bill:
    """The costs of the chosen among all studies of a scale; EvidenceError for one without evidence, recomputed or archived."""
    chosen = list(chosen)
    spent = {name: _spent(studies[name], root) for name in chosen}
    trained = {name: set(study.recipes) for name, study in studies.items()}
    price = {recipe: seconds for each in spent.values() for recipe, seconds in each["networks"].items()}
    rows = [_row(name, spent[name], trained) for name in chosen]
    elsewhere = {recipe.name for name, recipes in trained.items() if name not in chosen for recipe in recipes}
    return Bill(
        tuple(rows),
        training=sum(price.values()),
        own=sum(seconds for recipe, seconds in price.items() if recipe not in elsewhere),
        measuring=sum(row.measuring for row in rows),
    )


def _row(name: str, spent: dict, trained: dict[str, set]) -> Cost:
    others = {recipe.name for other, recipes in trained.items() if other != name for recipe in recipes}
    own = sum(seconds for recipe, seconds in spent["networks"].items() if recipe not in others)
    return Cost(name, len(spent["networks"]), spent["train_core_s"], own, spent["measure_core_s"])


def _spent(study: Study, root: Path) -> dict:
    sources = sources_now({study.name: study}, root / results_folder(study.scale), root)
    if keys := [place.key for place in sources.places[study.name] if place.where == "archive"]:
        pull(keys=keys, root=root)
    return sources.evidence(study.name, root).provenance["cost"]
