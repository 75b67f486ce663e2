"""What studies cost in core seconds, as their evidence recorded it, each network counted once however many studies use it.

Seconds of one machine say little on another, so a study's are also given in trainings of the default network, the one that most
studies share: of a repetition of it on the platform of the study's evidence.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from assay.artifacts.archiving import pull
from assay.errors import EvidenceError
from assay.language.configuration import results_folder
from assay.language.study import Study
from assay.pipeline.deciding import sources_now
from assay.provenance.platforms import platform_key
from assay.storage.places import WORK


@dataclass(frozen=True)
class Cost:
    """Core seconds of one study over all its seeds. own: of training networks that no other study asks for. shared_with: the
    studies that ask for some of its networks. trainings: all of it in trainings of the default network, None where none of its
    platform is known."""

    study: str
    networks: int
    training: float
    own: float
    measuring: float
    shared_with: tuple[str, ...]
    trainings: float | None


@dataclass(frozen=True)
class Bill:
    """The costs of some studies, and what all of them together add to the others. trainings: of the network `default`, None
    where evidence is of several platforms."""

    studies: tuple[Cost, ...]
    training: float
    own: float
    measuring: float
    default: str | None
    trainings: float | None

    def as_json(self) -> dict:
        return asdict(self)


def bill(chosen: Iterable[str], studies: Mapping[str, Study], root: Path = WORK) -> Bill:
    """The costs of the chosen among all studies of a scale; EvidenceError for one without evidence, recomputed or archived."""
    chosen = list(chosen)
    trained = {name: [recipe.name for recipe in study.recipes] for name, study in studies.items()}
    found = {name: _provenance(studies[name], root) for name in chosen}
    default = default_network(trained)
    if default and not any(default in said["cost"]["networks"] for said in found.values()):
        beside = next((said for name in studies if default in trained[name] and (said := _or_none(studies[name], root))), None)
        return bill_of(found, trained, [beside] if beside else [])
    return bill_of(found, trained)


def bill_of(found: Mapping[str, dict], trained: Mapping[str, Iterable[str]], beside: Iterable[dict] = ()) -> Bill:
    """The bill of studies by their provenance. trained: the names of the networks that every study asks for, those not on the
    bill as well. beside: further provenances that the default network's training is read from."""
    default = default_network(trained)
    units = _units(default, [*found.values(), *beside])
    users: dict[str, list[str]] = {}
    for name, networks in trained.items():
        for network in networks:
            users.setdefault(network, []).append(name)
    rows = tuple(_row(name, said, users, units) for name, said in found.items())
    price = {network: seconds for said in found.values() for network, seconds in said["cost"]["networks"].items()}
    training, measuring = sum(price.values()), sum(row.measuring for row in rows)
    platforms = {platform_key(said["platform"]) for said in found.values()}
    unit = units.get(next(iter(platforms))) if len(platforms) == 1 else None
    return Bill(
        rows,
        training=training,
        own=sum(seconds for network, seconds in price.items() if set(users.get(network, ())) <= set(found)),
        measuring=measuring,
        default=default if units else None,
        trainings=(training + measuring) / unit if unit else None,
    )


def default_network(trained: Mapping[str, Iterable[str]]) -> str | None:
    """The network that most studies ask for, of equals the first by name; None where none is asked for twice."""
    count: dict[str, int] = {}
    for networks in trained.values():
        for network in set(networks):
            count[network] = count.get(network, 0) + 1
    best = min(count, key=lambda network: (-count[network], network), default=None)
    return best if best and count[best] > 1 else None


def _row(name: str, said: dict, users: Mapping[str, list[str]], units: Mapping[str, float]) -> Cost:
    cost = said["cost"]
    others = {network: [user for user in users.get(network, ()) if user != name] for network in cost["networks"]}
    unit = units.get(platform_key(said["platform"]))
    return Cost(
        study=name,
        networks=len(cost["networks"]),
        training=cost["train_core_s"],
        own=sum(seconds for network, seconds in cost["networks"].items() if not others[network]),
        measuring=cost["measure_core_s"],
        shared_with=tuple(sorted({user for found in others.values() for user in found})),
        trainings=(cost["train_core_s"] + cost["measure_core_s"]) / unit if unit else None,
    )


def _units(default: str | None, provenances: Iterable[dict]) -> dict[str, float]:
    """Core seconds of one training of the default network by platform: the median over the evidence that rests on it."""
    seen: dict[str, list[float]] = {}
    for said in provenances:
        if seconds := said["cost"]["networks"].get(default):
            seen.setdefault(platform_key(said["platform"]), []).append(seconds / len(said["seeds"]))
    return {platform: median(seconds) for platform, seconds in seen.items()}


def _or_none(study: Study, root: Path) -> dict | None:
    try:
        return _provenance(study, root)
    except EvidenceError:
        return None


def _provenance(study: Study, root: Path) -> dict:
    sources = sources_now({study.name: study}, root / results_folder(study.scale), root)
    if keys := [place.key for place in sources.places[study.name] if place.where == "archive"]:
        pull(keys=keys, root=root)
    return sources.evidence(study.name, root).provenance
