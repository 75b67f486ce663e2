"""The plan: which networks are trained in which jobs so that each is trained once, and what each job depends on."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from assay.errors import StudyError, unknown
from assay.language.blocks import Block
from assay.language.recipes import Recipe, canonical, each_once
from assay.language.scales import Scale
from assay.language.study import Study
from assay.provenance.fingerprints import fingerprint_of_networks
from assay.provenance.proofs import code_digest


@dataclass(frozen=True)
class Bundle:
    """Recipes that one job trains at the repetitions of a block. At small scales the values of a sweep or a pool of parents are
    together, since starting Python and importing torch takes longer than some of these trainings; at large ones a job is one
    recipe."""

    name: str
    recipes: tuple[Recipe, ...]
    block: Block

    @property
    def seeds(self) -> range:
        """The repetitions that it trains."""
        return self.block.repetitions

    @cached_property
    def parents(self) -> list[Recipe]:
        """Networks of other bundles that this one is made from, each once."""
        return list(dict.fromkeys(p for recipe in self.recipes for p in recipe.parents if p not in self.recipes))

    @cached_property
    def text(self) -> str:
        """Canonical JSON of the recipes."""
        return canonical([recipe.data for recipe in self.recipes])

    @cached_property
    def code(self) -> str:
        """One hash over the code behind these networks, and over all code proven to compute the same."""
        return code_digest(fingerprint_of_networks(self.recipes, len(self.seeds)))


class Plan:
    """All bundles that blocks of studies need. Equal recipes appear once, whichever studies ask for them.

    asked: the studies, each with the blocks that it needs networks for. networks_per_job: up to this many networks, groups of one
    depth that the same studies need, share a job; with 1 a job trains one network. beside: studies that ask for none now; what
    they want recorded in a shared training is recorded, too, so that it need not be trained again for them.
    """

    def __init__(self, asked: Iterable[tuple[Study, Iterable[Block]]], networks_per_job: int = 1, beside: Iterable[Study] = ()):
        asked = [(study, tuple(blocks)) for study, blocks in asked]
        self.studies = {study.name: study for study, _ in asked}
        self.blocks = {study.name: blocks for study, blocks in asked}
        own = (recipe for study, _ in asked for recipe in study.recipes)
        others = (recipe for study in beside if study.name not in self.studies for recipe in study.recording)
        self.recording = {recipe: recipe for recipe in each_once((*own, *others))}
        self.bundles: dict[str, Bundle] = {}
        self.bundle_of: dict[tuple[Recipe, Block], Bundle] = {}
        wanted: dict[Block, list[Study]] = {}
        for study, blocks in asked:
            for block in blocks:
                wanted.setdefault(block, []).append(study)
        for block in sorted(wanted):
            self._add_block(block, wanted[block], networks_per_job)

    @classmethod
    def at(cls, scale: Scale, studies: Iterable[Study]) -> "Plan":
        """The plan of these studies, whole, with jobs as large as the scale wants them."""
        return cls(((study, study.blocks) for study in studies), scale.networks_per_job)

    @property
    def recipes(self) -> list[Recipe]:
        """Every network that some bundle trains, each once."""
        return list(dict.fromkeys(recipe for recipe, _ in self.bundle_of))

    def bundle(self, name: str) -> Bundle:
        """One bundle by name."""
        if name not in self.bundles:
            raise StudyError(unknown("network job", name, self.bundles))
        return self.bundles[name]

    def needs(self, recipes: Iterable[Recipe], block: Block) -> list[str]:
        """The bundles that hold these networks at a block, each once."""
        return sorted({self.bundle_of[recipe, block].name for recipe in recipes})

    def _add_block(self, block: Block, studies: list[Study], networks_per_job: int) -> None:
        users = _users(studies)
        planned: set[Recipe] = set()
        for study in studies:
            groups = _groups(study) if networks_per_job > 1 else [[recipe] for recipe in study.recipes]
            # What other studies need too is trained apart, so that a failing study does not stop them.
            for alike in _split(_new(groups, planned), users):
                for recipes in _merged(alike, networks_per_job):
                    self._add(study, recipes, block)
                    planned.update(recipes)

    def _add(self, study: Study, recipes: list[Recipe], block: Block) -> None:
        name = recipes[0].name
        if len(recipes) > 1:
            joint = hashlib.sha256("".join(recipe.digest for recipe in recipes).encode()).hexdigest()[:8]
            name = f"{study.name}-{len(recipes)}-networks-{joint}"
        bundle = Bundle(f"{name}-{block.name}", tuple(self.recording[recipe] for recipe in recipes), block)
        self.bundles[bundle.name] = bundle
        self.bundle_of.update(dict.fromkeys(((recipe, block) for recipe in recipes), bundle))


def _groups(study: Study) -> list[list[Recipe]]:
    """A study's recipes in groups worth a job: an arm's sweep and the named networks, each split by depth, so that groups only
    ever depend on lower depths and the jobs form no circle."""
    wanted = set(study.recipes)
    swept: dict[tuple, list[Recipe]] = {}
    for cell in study.cells:
        swept.setdefault((cell.arm, cell.recipe.depth), []).append(cell.recipe)
    pools: dict[int, list[Recipe]] = {}
    for recipe in study.networks.values():
        pools.setdefault(recipe.depth, []).append(recipe)
    groups = [[recipe for recipe in dict.fromkeys(group) if recipe in wanted] for group in (*pools.values(), *swept.values())]
    grouped = {recipe for group in groups for recipe in group}
    return [[recipe] for recipe in study.recipes if recipe not in grouped] + groups


def _users(studies: Iterable[Study]) -> dict[Recipe, tuple[str, ...]]:
    """The names of the studies that need each network."""
    users: dict[Recipe, tuple[str, ...]] = {}
    for study in studies:
        for recipe in study.recipes:
            users[recipe] = (*users.get(recipe, ()), study.name)
    return users


def _split(groups: list[list[Recipe]], users: dict[Recipe, tuple[str, ...]]) -> Iterable[list[list[Recipe]]]:
    """The groups once for each set of studies that need the same networks, with these networks alone."""
    sets = dict.fromkeys(users[recipe] for group in groups for recipe in group)
    return ([[recipe for recipe in group if users[recipe] == names] for group in groups] for names in sets)


def _new(groups: list[list[Recipe]], planned: Iterable[Recipe]) -> list[list[Recipe]]:
    """The groups without what is planned already, or stands in an earlier group."""
    seen, new = set(planned), []
    for group in groups:
        new.append([recipe for recipe in group if recipe not in seen])
        seen.update(group)
    return new


def _merged(groups: list[list[Recipe]], networks: int) -> list[list[Recipe]]:
    """Neighbours of one depth in one group while they are together at most `networks`; empty groups left out."""
    merged: list[list[Recipe]] = []
    for group in sorted(filter(None, groups), key=lambda group: group[0].depth):
        last = merged[-1] if merged else []
        if last and last[0].depth == group[0].depth and len(last) + len(group) <= networks:
            last.extend(group)
        else:
            merged.append(list(group))
    return merged
