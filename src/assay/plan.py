"""The plan: which networks are trained in which jobs so that each is trained once, and what each job depends on."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from assay.errors import StudyError, unknown
from assay.fingerprints import digest, fingerprint
from assay.recipes import Recipe, canonical
from assay.studies import Study

TRAINING = "assay.jobs"


@dataclass(frozen=True)
class Bundle:
    """Recipes that one job trains: usually one; the values of a sweep or a pool of parents together, since starting Python
    and importing torch takes longer than some of these trainings."""

    name: str
    recipes: tuple[Recipe, ...]

    @property
    def parents(self) -> list[Recipe]:
        """Networks of other bundles that this one is made from, each once."""
        return list(dict.fromkeys(p for recipe in self.recipes for p in recipe.parents if p not in self.recipes))

    @property
    def text(self) -> str:
        """Canonical JSON of the recipes."""
        return canonical([recipe.data for recipe in self.recipes])

    @cached_property
    def code(self) -> str:
        """The fingerprint of all code behind these networks."""
        ancestry = {ancestor for recipe in self.recipes for ancestor in recipe.ancestry()}
        return digest(fingerprint(TRAINING, set().union(*(recipe.plugs for recipe in ancestry))))


class Plan:
    """All bundles of a set of studies. Equal recipes appear once, whichever studies ask for them."""

    def __init__(self, studies: Iterable[Study]):
        self.studies = {study.name: study for study in studies}
        self.bundles: dict[str, Bundle] = {}
        self.bundle_of: dict[Recipe, str] = {}
        for study in self.studies.values():
            for recipes in _groups(study):
                self._add(study, [recipe for recipe in recipes if recipe not in self.bundle_of])

    def _add(self, study: Study, recipes: list[Recipe]) -> None:
        if not recipes:
            return
        name = recipes[0].name
        if len(recipes) > 1:
            joint = hashlib.sha256("".join(recipe.digest for recipe in recipes).encode()).hexdigest()[:8]
            name = f"{study.name}-{len(recipes)}-networks-{joint}"
        bundle = Bundle(name, tuple(recipes))
        self.bundles[name] = bundle
        self.bundle_of.update(dict.fromkeys(recipes, name))

    def bundle(self, name: str) -> Bundle:
        """One bundle by name."""
        if name not in self.bundles:
            raise StudyError(unknown("network job", name, self.bundles))
        return self.bundles[name]

    def needs(self, recipes: Iterable[Recipe]) -> list[str]:
        """The bundles that hold these networks, each once."""
        return sorted({self.bundle_of[recipe] for recipe in recipes})


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
