"""Compiled studies are kept and taken up again: what `kept` holds of a study, as data and back.

A study read back equals the one that was compiled; one of which that is not so, when it is written, is not kept. An invalid study
never is, and is checked, and said to be invalid, each time.
"""

import json
from collections.abc import Callable
from pathlib import Path

from assay.errors import StudyError
from assay.language import kept
from assay.language.plugs import everything, rests_on, watched
from assay.language.published import Published
from assay.language.recipes import Recipe
from assay.language.scales import StandIns
from assay.language.study import Cell, Study, StudyFile
from assay.storage.places import PACKAGE

FACTS = ("identity", "name", "depth", "plugs", "reads")  # what a recipe computes of itself and others ask for most
DIGESTS = ("digest", "judged_digest")
REPETITIONS = ("conclusive", "first_look", "block_size", "first", "seeds", "earlier")


class Keeper:
    """The compiled studies of one scale. papers: whether the catalogue has a row of this name."""

    def __init__(self, scale: str, text: str, papers: Callable[[str], bool], package: Path = PACKAGE, folder: str = ""):
        self.scale, self.papers, self.folder = scale, papers, folder
        self.sums = kept.Sums(str(package))
        self.terms = {"compiler": kept.compiler(str(package)), "scale": text}

    def study(self, path: Path, seeds: int, compiled: Callable[[], Study]) -> Study:
        """The study of a file with this many seeds: as it is kept, else compiled, and then kept."""
        name = f"{self.scale}/{path.stem}.json"
        terms = self.terms | {"path": str(path), "study": kept.sum_of(path), "seeds": seeds}
        if study := self._read(name, terms, path):
            return study
        with watched() as seen:
            made = compiled()
        if not seen.weights:  # which may come and go
            self._write(name, {"terms": terms, "needs": rests_on(seen.plugs)}, made)
        return made

    def _read(self, name: str, terms: dict, path: Path) -> Study | None:
        """A study as it is kept, if nothing that it rests on has changed."""
        data = kept.read(name, self.folder)
        if not data or data["terms"] != terms or not all(map(self.sums.hold, data["needs"].values())):
            return None
        study = _study(data["study"], path, self.scale)
        return study if _names_are_unique() and self._has_paper(study) else None

    def _has_paper(self, study: Study) -> bool:
        try:
            return self.papers(study.file.paper)
        except StudyError:
            return False

    def _write(self, name: str, data: dict, study: Study) -> None:
        try:
            made = data | {"study": _data(study)}
            again = _study(json.loads(json.dumps(made["study"])), study.path, self.scale)
        except (TypeError, ValueError):
            return  # a key or a value that JSON has not
        if again == study and _data(again) == made["study"] and kept.sum_of(study.path) == data["terms"]["study"]:
            kept.write(name, made, self.folder)


def _names_are_unique() -> bool:
    """Whether no kind has two plugs of one name, which is an error wherever one of the kind is asked for."""
    try:
        return bool(list(everything()))
    except StudyError:
        return False


def _data(study: Study) -> dict:
    """A compiled study as data, but for what its file says."""
    recipes: dict[str, int] = {}
    facts: list[dict] = []

    def number(recipe: Recipe) -> int:
        key = json.dumps(recipe.data)
        if key not in recipes:
            recipes[key] = len(facts)
            said = {name: getattr(recipe, name) for name in FACTS}
            facts.append({"data": recipe.data} | {k: sorted(v) if isinstance(v, set) else v for k, v in said.items()})
        return recipes[key]

    return {
        "text": study.text,
        "file": study.file.model_dump(exclude_unset=True),
        **{name: getattr(study, name) for name in REPETITIONS},
        "cells": [[cell.arm, cell.x, number(cell.recipe), cell.protocol] for cell in study.cells],
        "networks": {name: number(recipe) for name, recipe in study.networks.items()},
        "stand_ins": vars(study.stand_ins),
        "reproduced": [published.reproduced for published in study.published],
        "needed": [number(recipe) for recipe in study.recipes],
        "facts": {"plugs": sorted(study.plugs), "reads": sorted(study.reads), **{key: getattr(study, key) for key in DIGESTS}},
        "recipes": facts,
    }


def _study(data: dict, path: Path, scale: str) -> Study:
    recipes = [_recipe(facts) for facts in data["recipes"]]
    file = StudyFile.model_validate(data["file"])
    study = Study(
        name=path.stem,
        family=path.parent.name,
        path=path,
        text=data["text"],
        file=file,
        scale=scale,
        **{name: data[name] for name in REPETITIONS},
        cells=tuple(Cell(arm, x, recipes[number], protocol) for arm, x, number, protocol in data["cells"]),
        networks={name: recipes[number] for name, number in data["networks"].items()},
        stand_ins=StandIns(**data["stand_ins"]),
        published=tuple(map(Published, file.published, data["reproduced"])),
    )
    needed = [recipes[number] for number in data["needed"]]
    vars(study).update(
        plugs=set(data["facts"]["plugs"]),
        reads=set(data["facts"]["reads"]),
        recipes=needed,
        **{key: data["facts"][key] for key in DIGESTS},
    )
    return study


def _recipe(facts: dict) -> Recipe:
    recipe = Recipe(facts.pop("data"))
    vars(recipe).update(facts | {"plugs": set(facts["plugs"]), "reads": set(facts["reads"])})
    return recipe
