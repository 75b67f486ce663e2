"""Further looks: which open studies get their next look for some core minutes, best chance for each core second first.

A study is offered its next look if a claim of it is open and has a prospect (assay.judging.prospects). It costs the networks that
are not there and that no study chosen before it trains, and the measuring; where its evidence is of another platform all its
seeds, since platforms are never mixed in one comparison.
"""

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from assay.errors import StudyError, unknown
from assay.judging.prospects import MOST, Prospect
from assay.language.blocks import Block
from assay.language.configuration import results_folder
from assay.language.looks import next_look
from assay.language.recipes import Recipe
from assay.language.scales import load_scale
from assay.language.studies import load_studies
from assay.language.study import Study
from assay.networks.plan import Bundle
from assay.pipeline.deciding import decide
from assay.pipeline.prediction import STARTS, Predictor
from assay.pipeline.standing import verdicts_now
from assay.provenance.platforms import device_here, platform_here
from assay.storage.places import WORK, config_of


@dataclass(frozen=True)
class Offer:
    """A study's next look. needs: the seeds that the nearest of its open claims probably needs, None where nothing would tell.
    chance: of open claims that the look decides, how many are to be expected. core_seconds: beyond what was chosen before it.
    chosen: whether it is set; why: what stands against it."""

    study: str
    seeds: int
    to: int
    open: int
    needs: int | None
    chance: float
    core_seconds: float
    chosen: bool = False
    why: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def further(scale: str, minutes: float, most: int = MOST, names: Collection[str] = (), root: Path = WORK) -> list[Offer]:
    """The offers for all open studies of a scale, or for those named: first those chosen for so many core minutes, in the order
    of their worth, then the others. StudyError for an unknown study."""
    studies = load_studies(scale, config_of(root))
    for name in names:
        if name not in studies:
            raise StudyError(unknown("study", name, studies))
    costs = Costs(scale, studies, root)
    found = _offers(verdicts_now(studies, scale, root), studies, most)
    offers = [offer for offer in found if not names or offer.study in names]
    left = [offer for offer in offers if offer.why]
    return choose([offer for offer in offers if not offer.why], 60 * minutes, costs) + left


def _offers(records: Mapping[str, dict], studies: Mapping[str, Study], most: int) -> Iterable[Offer]:
    """The next look of each open study, not yet priced; with a reason where there is no prospect."""
    for name, record in records.items():
        if record["word"] == "open":
            study, claims = studies[name], record["expectations"]
            still = [claim for claim in claims if claim["word"] == "open"]  # none where the gate alone keeps the paper open
            prospects = [Prospect.of(claim, study.first_look, study.earlier) for claim in still or claims]
            yield _offer(study, prospects, most)


def _offer(study: Study, prospects: list[Prospect], most: int) -> Offer:
    seen = prospects[0].seeds
    to = next_look(study.first_look, seen)
    needs = min(prospect.needs(most) for prospect in prospects)
    if seen < study.seeds:
        why = f"{study.seeds} seeds are set and not measured yet"
    elif to > most:
        why = f"its next look is beyond {most}"
    elif seen > study.first_look and needs > most:
        why = f"needs more than {most}"
    else:
        why = ""
    told = None if math.isinf(needs) else int(needs)
    chance = math.fsum(prospect.chance() for prospect in prospects)
    return Offer(study.name, seen, to, len(prospects), told, chance, 0.0, why=why)


class Costs:
    """Core seconds of next looks, by records here or the archive's."""

    def __init__(self, scale: str, studies: Mapping[str, Study], root: Path = WORK):
        sizes = load_scale(scale, config_of(root))
        self.studies, self.root, self.results = studies, root, root / results_folder(scale)
        self.platform = platform_here(device_here("auto"), sizes.job.threads, sizes.precision)
        self.predictor = Predictor(scale, studies, self.platform["cpu"], root)

    def parts(self, offer: Offer) -> tuple[dict[tuple[Recipe, Block], float], float]:
        """What a look would compute: the networks it needs, each with its core seconds, and those of measuring."""
        study = replace(self.studies[offer.study], seeds=offer.to)
        decided = decide({study.name: study}, [study.name], "auto", self.results, self.platform, self.root)
        blocks = [block for _, block in decided.computed]
        networks = {(recipe, block): self._training(recipe, block) for block in blocks for recipe in study.recipes}
        return networks, math.fsum(self.predictor.measuring("measure", study, block) for block in blocks)

    def _training(self, recipe: Recipe, block: Block) -> float:
        """Of a network at a block, without starting a job; nothing where it is there."""
        return self.predictor.training(Bundle(recipe.name, (recipe,), block), self.results / "networks") - STARTS["train"]


def choose(offers: Collection[Offer], seconds: float, costs: Costs) -> list[Offer]:
    """The offers, those first that fit into so many core seconds, best chance for each second first; networks that several need
    are paid by the first."""
    parts = {offer.study: costs.parts(offer) for offer in offers}
    left, chosen, paid = list(offers), [], set()
    while left:
        priced = [replace(offer, core_seconds=_price(*parts[offer.study], paid)) for offer in left]
        fitting = [offer for offer in priced if offer.core_seconds <= seconds]
        if not fitting:
            return chosen + [replace(offer, why="over the core minutes given") for offer in priced]
        best = max(fitting, key=lambda offer: (offer.chance / max(offer.core_seconds, 1e-9), offer.study))
        chosen.append(replace(best, chosen=True))
        seconds -= best.core_seconds
        paid.update(parts[best.study][0])
        left = [offer for offer in left if offer.study != best.study]
    return chosen


def _price(networks: Mapping[tuple[Recipe, Block], float], measuring: float, paid: Collection[tuple[Recipe, Block]]) -> float:
    return measuring + math.fsum(seconds for network, seconds in networks.items() if network not in paid)
