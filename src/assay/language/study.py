"""A study: the keys of its file, and what they compile to. No torch, no plug is imported."""

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from assay.language.blocks import Block, blocks
from assay.language.plugs import describe
from assay.language.published import Published, PublishedNumber
from assay.language.recipes import Recipe, canonical, each_once, parents_in, plugs_in, weights_in, without_defaults
from assay.language.revised import Revision
from assay.language.scales import StandIns, single

LOOKS = ("first", "first_look", "earlier")  # of what a judge is told, that which says when it looks


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StudyFile(_Strict):
    """The keys of a study file (config/studies/<family>/<name>.yaml)."""

    paper: str = Field(description="key of the paper in config/papers.json; none for a question of one's own")
    draft: bool = Field(False, description="true while it is being written: runs of all studies skip it")
    question: str = Field(min_length=1, description="what the study asks, in a sentence")
    base: dict[str, Any] = Field({}, description="fields shared by all arms")
    networks: dict[str, dict[str, Any]] = Field({}, description="further networks arms start from or learn from, not measured")
    arms: dict[str, dict[str, Any] | None] = Field(description="what is compared: fields on top of base")
    baseline: str | None = Field(None, description="the arm others are compared with; the first one if not given")
    sweep: dict[str, list[float | int]] = Field({}, description="one field varied over these values in every arm; its value is x")
    protocol: str | dict[str, Any] = Field(description="how it is measured")
    controls: list[str] = Field(min_length=1, description="what must hold for the instrument to count as working")
    expect: list[str] = Field(min_length=1, description="what the paper claims; supported means that all of it holds")
    secondary: list[str] = Field(
        [], description="what else should hold if the paper is right; judged and shown, without a say in the verdict"
    )
    margin: dict[str, Annotated[float, Field(ge=0)]] = Field({}, description="differences up to this count as none, by metric")
    figure: str | dict[str, Any] = Field("bars", description="how the observations are drawn")
    published: list[PublishedNumber] = Field([], description="numbers that the paper prints, with what they were obtained with")
    notes: str = Field("", description="what a reader must know: simplifications, surprises, changes made after a first run")
    revised: list[Revision] = Field(
        [], description="texts that were changed after looking: the seeds seen by then, and why; the present text gets fresh ones"
    )


@dataclass(frozen=True)
class Cell:
    """One measurement: an arm at one value of the sweep. recipe is None where the protocol needs no network of the arm."""

    arm: str
    x: float | int | None
    recipe: Recipe
    protocol: dict

    @property
    def label(self) -> str:
        """What the measurement's arrays are kept under: the arm, with the sweep's value if there is one."""
        return self.arm if self.x is None else f"{self.arm}@{self.x}"

    @property
    def recipes(self) -> list[Recipe]:
        """The trained networks this measurement needs: the arm's own and those its protocol names."""
        return each_once([self.recipe, *parents_in(self.protocol)])


@dataclass(frozen=True)
class Study:
    """A compiled study. It is judged on `seeds` repetitions from `first` on; `earlier` looks were made at texts it had before.
    conclusive: whether its scale concludes anything."""

    name: str
    family: str
    path: Path
    text: str
    file: StudyFile
    scale: str
    conclusive: bool
    first_look: int
    block_size: int
    first: int
    seeds: int
    earlier: int
    cells: tuple[Cell, ...]
    networks: dict[str, Recipe]
    stand_ins: StandIns
    published: tuple[Published, ...]

    @property
    def arms(self) -> list[str]:
        return list(self.file.arms)

    @property
    def blocks(self) -> tuple[Block, ...]:
        """The blocks that its repetitions are measured in."""
        return blocks(self.seeds, self.block_size, self.first)

    @property
    def tried(self) -> "Study":
        """The study as it is tried on other draws: with the repetitions of a first look, whatever was judged."""
        terms = {"first": 0, "seeds": self.first_look, "earlier": 0}
        return self if terms.items() <= vars(self).items() else replace(self, **terms)

    @property
    def baseline(self) -> str:
        return self.file.baseline or self.arms[0]

    @property
    def protocol(self) -> str:
        return self.cells[0].protocol["plug"].split("/")[1]

    @property
    def trains_inside(self) -> bool:
        """Whether the protocol trains the networks itself, so that the DAG must not."""
        return bool(describe("protocols", self.protocol).constants.get("TRAINS", False))

    @property
    def metrics(self) -> dict[str, str]:
        """The protocol's metrics with a line on each."""
        return describe("protocols", self.protocol).constants["METRICS"]

    @cached_property
    def recipes(self) -> list[Recipe]:
        """Every network to be trained for the study, parents before children, each once."""
        if self.trains_inside:
            needed = [parent for cell in self.cells for parent in (*cell.recipe.parents, *parents_in(cell.protocol))]
        else:
            needed = [recipe for cell in self.cells for recipe in cell.recipes]
        found = each_once(ancestor for recipe in needed for ancestor in recipe.ancestry())
        return sorted(found, key=lambda recipe: recipe.depth)

    @cached_property
    def recording(self) -> list[Recipe]:
        """Those of its networks that something is recorded of while they train."""
        return [recipe for recipe in self.recipes if recipe.records]

    @cached_property
    def plugs(self) -> set[str]:
        """Everything the study's evidence is made with, as "kind/name"."""
        own = set().union(*(plugs_in(cell.protocol) | cell.recipe.plugs for cell in self.cells))
        return own.union(*(recipe.plugs for recipe in self.recipes))

    @cached_property
    def reads(self) -> set[str]:
        """The local files of weights behind the study's evidence, as written."""
        own = set().union(*(weights_in(cell.protocol) | cell.recipe.reads for cell in self.cells))
        return own.union(*(recipe.reads for recipe in self.recipes))

    @property
    def figure(self) -> dict[str, dict]:
        """The figure plug and its parameters."""
        name, parameters = single(self.file.figure)
        return {name: parameters}

    @cached_property
    def digest(self) -> str:
        """A hash of what is measured: the cells, not how often, nor the prose around them."""
        return hashlib.sha256(self.plan.encode()).hexdigest()

    @cached_property
    def plan(self) -> str:
        """Canonical JSON of what is measured, without defaults; with the code, all that an observation depends on."""
        cells = [{"arm": c.arm, "x": c.x, "network": c.recipe.reference, "protocol": c.protocol} for c in self.cells]
        return canonical(without_defaults({"study": self.name, "cells": cells}))

    @cached_property
    def judged_digest(self) -> str:
        """A hash of all in the study's file that decides numbers or verdicts, as written: the same at every scale and in any
        order of keys."""
        decided = {"base", "networks", "arms", "sweep", "protocol", "controls", "expect", "margin"}
        return hashlib.sha256(canonical(self.file.model_dump(include=decided)).encode()).hexdigest()

    @cached_property
    def judgement(self) -> str:
        """Canonical JSON of what is judged: controls, expectations and margins; and at which looks."""
        judged = self.file.model_dump(include={"paper", "controls", "expect", "secondary", "margin"})
        return canonical({"name": self.name, **judged, **{name: getattr(self, name) for name in LOOKS}})


def digest_of_judgement(judgement: dict) -> str:
    """A hash of what is judged, by which a verdict is told from one on other expectations, controls or margins."""
    said = {name: value for name, value in judgement.items() if name not in LOOKS}
    return hashlib.sha256(canonical(said).encode()).hexdigest()
