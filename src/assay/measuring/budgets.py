"""Whether trainings are long enough: accuracy of a study's networks and what it measures, at its budget and at twice that."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from torch import Tensor

from assay.evidence.tables import Observation
from assay.language.blocks import Block
from assay.language.recipes import Recipe
from assay.language.study import Study
from assay.measuring.evaluate import predict
from assay.measuring.observing import observe
from assay.networks.jobs import Worlds, set_up, train_bundle
from assay.networks.store import NetworkStore

LONGER = 2  # repetitions that are trained for twice as long


def doubled(recipe: Recipe) -> Recipe:
    """The recipe with twice the epochs, as all that it is made from."""
    return Recipe(_doubled(recipe.data))


def doubled_study(study: Study) -> Study:
    """The study with twice the epochs of every network that it measures or compares with."""
    return replace(
        study,
        cells=tuple(
            replace(cell, recipe=doubled(cell.recipe), protocol=_with_parents_doubled(cell.protocol)) for cell in study.cells
        ),
    )


def _doubled(data: dict) -> dict:
    budget = {**data["budget"], "epochs": 2 * data["budget"]["epochs"]}
    return {**_with_parents_doubled(data), "budget": budget}


def _with_parents_doubled(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_parents_doubled(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "recipe" in value:
        return {"recipe": _doubled(value["recipe"])}
    return {key: _with_parents_doubled(item) for key, item in value.items()}


def chosen(study: Study) -> tuple[list[Recipe], dict[str, str]]:
    """The networks of a study that a budget can be too short for, and why the others are left out, by name."""
    left_out = {f"protocol {study.protocol}": "trains networks of its own while measuring"} if study.trains_inside else {}
    for recipe in study.recipes:
        if not recipe.classifies:
            left_out[recipe.name] = "its objective trains no classifier"
        elif doubled(recipe) == recipe:
            left_out[recipe.name] = "nothing of it is trained"
    return [recipe for recipe in study.recipes if recipe.name not in left_out], left_out


def accuracy_by_budget(
    study: str,
    recipes: list[Recipe],
    blocks: Sequence[Block],
    networks: Path,
    threads: int,
    precision: str,
    say: Callable[[str], None],
) -> dict[str, dict[str, float] | None]:
    """For each network, by name: mean test accuracy of the first LONGER repetitions at its budget ("once") and at twice the
    epochs ("twice"), and the standard deviation of the former over all repetitions ("deviation"); None where outputs are no
    logits of the world's classes.

    blocks: the repetitions, as they are trained together. networks: the folder where trained ones lie; missing ones, and those
    at twice the epochs, are trained into it. threads and precision: as of the jobs that trained the others, since bytes depend
    on them.
    """
    store = NetworkStore(networks, set_up("auto", threads, precision), precision)
    longer = {recipe: doubled(recipe) for recipe in recipes}
    for block in blocks:
        _train(recipes, block.repetitions, store, f"frozen-{study}-once-{block.name}", say)
    seeds = [seed for block in blocks for seed in block.repetitions]
    _train(longer.values(), range(seeds[0], seeds[0] + LONGER), store, f"frozen-{study}-twice", say)
    once = {seed: _accuracies(recipes, seed, store) for seed in seeds}
    twice = {seed: _accuracies(longer.values(), seed, store) for seed in seeds[:LONGER]}
    found: dict[str, dict[str, float] | None] = {}
    for recipe in recipes:
        values, after = [once[seed][recipe] for seed in seeds], [found_at[longer[recipe]] for found_at in twice.values()]
        if None in (*values, *after):
            found[recipe.name] = None
        else:
            found[recipe.name] = {"once": mean(values[:LONGER]), "twice": mean(after), "deviation": stdev(values)}
    return found


def observed_at_twice(
    study: Study, networks: Path, threads: int, precision: str, say: Callable[[str], None]
) -> list[Observation] | None:
    """What the study measures in its first LONGER repetitions with every network trained for twice the epochs; None if it trains
    none. Arguments as in `accuracy_by_budget`; what is missing is trained."""
    longer = doubled_study(study)
    if longer.cells == study.cells:
        return None
    store = NetworkStore(networks, set_up("auto", threads, precision), precision)
    block = Block(study.first, study.first + LONGER - 1)
    _train(longer.recipes, block.repetitions, store, f"frozen-{study.name}-twice", say)
    return observe(longer, block, store, say)[0]


def _train(recipes: Iterable[Recipe], seeds: range, store: NetworkStore, name: str, say: Callable[[str], None]) -> None:
    """Train what is missing of these networks and of all they are made from."""
    every = list(dict.fromkeys(ancestor for recipe in recipes for ancestor in recipe.ancestry()))
    train_bundle(every, seeds, store, store.folder / f"{name}.json", say)


def _accuracies(recipes: Iterable[Recipe], seed: int, store: NetworkStore) -> dict[Recipe, float | None]:
    drawn = Worlds(store)
    return {recipe: _accuracy(recipe, seed, store, drawn) for recipe in sorted(recipes, key=lambda recipe: recipe.world)}


def _accuracy(recipe: Recipe, seed: int, store: NetworkStore, drawn: Worlds) -> float | None:
    world = drawn.world(recipe, seed)
    logits = predict(store.load(recipe, seed).network, world.test.images)
    fits = isinstance(logits, Tensor) and logits.shape == (len(world.test), len(world.classes))
    return (logits.argmax(1) == world.test.labels).double().mean().item() if fits else None
