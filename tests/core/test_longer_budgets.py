"""What a trial says of budgets: effects with every network trained for twice the epochs, and when they are warned of."""

import pytest
import torch
from project_tree import Tree

from assay.judging.freezing import freeze
from assay.language.draws import drawing
from assay.language.frozen import Claim, Frozen, warnings_of, write_record
from assay.language.recipes import Recipe
from assay.language.studies import load_studies
from assay.measuring.budgets import doubled, doubled_study
from assay.training.trainer import make_world, train


@pytest.fixture
def tree(tmp_path):
    """A project with a trial of its study, whose effects are 0.1 + 0.001 (seed - 2)."""
    tree = Tree(tmp_path)
    tree.results = tmp_path / "results" / "laptop-trial"
    tree.scale()
    tree.study()
    tree.measure(draws="trial")
    return tree


def accuracy(recipe: Recipe, seed: int) -> float:
    """Straight from the trainer."""
    test = make_world(recipe, seed).test
    with torch.no_grad():
        answers = train(recipe, seed).network(torch.from_numpy(test.images)).argmax(1).numpy()
    return float((answers == test.labels).mean())


def test_effects_at_twice_the_budget_are_those_of_networks_trained_so(tree):
    """In the first two repetitions: 0.098 and 0.099 in the trial, and differences of accuracies at two epochs for one."""
    (claim,) = freeze(tree.compiled(), "trial", lambda line: None, tree.root).claims
    recipes = {cell.arm: cell.recipe for cell in tree.compiled().cells}
    assert doubled(recipes["erm"]).data["budget"]["epochs"] == 2 * recipes["erm"].data["budget"]["epochs"] == 2
    with drawing("trial"):
        longer = [accuracy(doubled(recipes["mixup"]), seed) - accuracy(doubled(recipes["erm"]), seed) for seed in (0, 1)]
    assert claim.once == pytest.approx(0.0985)
    assert claim.twice == pytest.approx(sum(longer) / 2, abs=1e-6)
    assert claim.repetitions == 2


def test_networks_that_protocols_name_are_trained_longer_too():
    study = load_studies("laptop", only=["sam_transfer"])["sam_transfer"]
    epochs = {recipe.data["budget"]["epochs"] for recipe in study.recipes}
    assert {recipe.data["budget"]["epochs"] for recipe in doubled_study(study).recipes} == {2 * count for count in epochs}


def test_a_study_that_trains_nothing_has_no_longer_budget(tree):
    tree.study(base={"world": {"shapes": {"train": 64, "test": 32}}, "model": "linear", "budget": {"epochs": 0}})
    tree.measure(draws="trial")
    (claim,) = freeze(tree.compiled(), "trial", lambda line: None, tree.root).claims
    assert (claim.once, claim.twice, claim.change) == (None, None, None)


@pytest.mark.parametrize(
    ("margin", "deviation", "twice", "warned"),
    [
        (0.02, 0.0, 0.119, False),  # within the margin
        (0.02, 0.0, 0.121, True),
        (0.02, 0.0, 0.079, True),  # in either direction
        (0.0, 0.1, 0.249, False),  # half of what seeds vary by, and the noise of a difference of two means of two
        (0.0, 0.1, 0.251, True),
    ],
)
def test_an_effect_that_a_longer_training_moves_is_warned_of(tree, margin, deviation, twice, warned):
    text = "mixup.top1 > erm.top1"
    claim = Claim(text=text, mean=0.1, deviation=deviation, margin=margin, once=0.1, twice=twice, repetitions=2)
    study = tree.compiled()
    named = {"study": study.name, "scale": study.scale, "judged_sha256": study.judged_digest, "draws": "trial"}
    record = Frozen(**named, seeds=[0, 1, 2, 3, 4], claims=[claim], accuracy={}, left_out={})
    write_record(record, tree.root / "config")
    found = [line for line in warnings_of(study, tree.root / "config") if "twice the budget" in line]
    assert len(found) == warned
    if warned:
        assert f"'{text}': twice the budget moves the effect from 0.1 to {twice:g}" in found[0]
