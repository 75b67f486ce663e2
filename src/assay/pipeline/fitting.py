"""Whether networks take the images of their worlds: asked before the first job, of which training would be the last to know.

Each model is asked once for each size of images, until its code or a library changes, all of them by one process
(assay.pipeline.probing); what they said lies in .snakemake/compiled/images.json. No torch here.
"""

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from textwrap import shorten
from typing import Any

from assay.errors import StudyError
from assay.language import kept
from assay.language.inputs import shown
from assay.language.recipes import Recipe, canonical, plug_name, plugs_in
from assay.language.study import Study
from assay.provenance.fingerprints import code_of, source_hash
from assay.provenance.platforms import versions

PROBING = "assay.pipeline.probing"
MEMO = "images.json"
LONGEST = 160  # characters of what PyTorch says


def images_of(world: dict[str, Any]) -> tuple[int, int] | None:
    """Channels and pixels a side of a canonical world's images, which are those of the world that it is made of; None if no
    parameter says so."""
    parameters = world["parameters"]
    if "size" in parameters:
        return parameters.get("channels", 3), parameters["size"]
    return images_of(parameters["of"]) if isinstance(parameters.get("of"), dict) else None


def refuse_unfit(studies: Iterable[Study]) -> None:
    """StudyError for the first study with a network that does not take the images of its world."""
    for problem in unfit(studies).values():
        raise StudyError(problem)


def unfit(studies: Iterable[Study]) -> dict[str, str]:
    """What is wrong with studies, by name, that have such a network: arm, model, size, and the next larger size that works."""
    studies = list(studies)
    asked = [(study, recipe, question) for study in studies for recipe in _networks(study) if (question := _question(recipe))]
    answers = _answers({question.key: question for _, _, question in asked})
    problems: dict[str, str] = {}
    for study, recipe, question in asked:
        if answer := answers.get(question.key):
            problems.setdefault(study.name, _problem(study, recipe, question.size, answer))
    return problems


@dataclass(frozen=True)
class _Question:
    """A model in canonical form, and the images that it is for."""

    model: dict[str, Any]
    channels: int
    size: int

    @cached_property
    def key(self) -> str:
        """A digest of all that an answer depends on."""
        rests_on = [self.model, self.channels, self.size, code_of(plugs_in(self.model)), *_asking()]
        return hashlib.sha256(canonical(rests_on).encode()).hexdigest()


@cache
def _asking() -> tuple[str, dict[str, str]]:
    """How models are asked: with which code, and which libraries."""
    return source_hash(PROBING), versions()


def _networks(study: Study) -> list[Recipe]:
    """All that are trained for a study, by its protocol, too."""
    return list(dict.fromkeys((*study.recipes, *(cell.recipe for cell in study.cells))))


def _question(recipe: Recipe) -> _Question | None:
    images = images_of(recipe.data["world"])
    return images and _Question(recipe.data["model"], *images)


def _answers(questions: dict[str, _Question]) -> dict[str, dict | None]:
    """Answers by key; those that are not known are asked for and kept. Where nobody can be asked, training finds out."""
    known = kept.read(MEMO) or {}
    new = {key: question for key, question in questions.items() if key not in known}
    if new:
        done = subprocess.run(
            # Forked where jobs are, so that torch need not be imported once more.
            [sys.executable, "-m", "assay.forks", "-m", PROBING],
            input=json.dumps([[question.model, question.channels, question.size] for question in new.values()]),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            return known
        known |= dict(zip(new, json.loads(done.stdout.splitlines()[-1]), strict=True))
        kept.write(MEMO, known)
    return known


def _problem(study: Study, recipe: Recipe, size: int, answer: dict[str, Any]) -> str:
    where = f"{shown(study.path)}: {_place(study, recipe)} (scale {study.scale})"
    said = shorten(answer["said"], LONGEST, placeholder=" ...")
    model, world = (plug_name(recipe.data[field]) for field in ("model", "world"))
    if answer["takes"] is None:
        return f"{where}: model {model} cannot be built for images of {size} px: {said}"
    return (
        f"{where}: model {model} takes no images of {size} px, the size of world {world} ({said});"
        f" it takes those of {answer['takes']} px"
    )


def _place(study: Study, recipe: Recipe) -> str:
    """The first arm that the network is of, or that is made from it."""
    arms = (cell.arm for cell in study.cells for each in cell.recipes if recipe in each.ancestry())
    arm = next(arms, None)
    return f"arms.{arm}" if arm else "networks"
