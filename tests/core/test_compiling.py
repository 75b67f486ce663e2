"""From a study to its cells and networks: merging, scales, sweeps, parents, and what is part of a plan."""

import json
from dataclasses import replace

import pytest
from study_cases import GOOD, compiled

from assay.language.compiling import merge
from assay.language.recipes import Recipe, each_once


def test_arms_that_differ_only_in_the_protocol_share_their_network(tmp_path):
    study = compiled(tmp_path, arms={"erm": {}, "mixup": {}})
    assert len(study.recipes) == 1
    assert len(study.cells) == 2


def test_equal_recipes_have_equal_names_whatever_the_spelling(tmp_path):
    spelled = [
        {"world": {"shapes": {"label_noise": 0.4}}, "model": "resnet"},
        {"model": {"resnet": {}}, "world": {"shapes": {"label_noise": 0.40}}, "augment": []},
        {"model": {"resnet": {"width": 8}}, "world": {"shapes": {"label_noise": 0.4, "size": 16}}, "objective": "cross_entropy"},
    ]
    names = {compiled(tmp_path, base=base, arms={"erm": {}, "mixup": {}}).recipes[0].name for base in spelled}
    assert len(names) == 1


def test_an_arm_merges_into_the_same_plug_and_replaces_another():
    assert merge({"shapes": {"a": 1, "b": 2}}, {"shapes": {"b": 3}}) == {"shapes": {"a": 1, "b": 3}}
    assert merge({"shapes": {"a": 1}}, {"shapes": {"b": 3}}) == {"shapes": {"a": 1, "b": 3}}
    assert merge({"shapes": {"a": 1}}, "shapes") == {"shapes": {"a": 1}}
    assert merge("shapes", {"digits": {"a": 1}}) == {"digits": {"a": 1}}
    assert merge("shapes", {"shapes": {"a": 1}}) == {"shapes": {"a": 1}}
    assert merge({"shapes": {"a": 1}}, "digits") == "digits"
    assert merge({"shapes": {"a": 1}}, {"digits": {"b": 1}}) == {"digits": {"b": 1}}
    assert merge(["crop"], ["flip"]) == ["flip"]


def test_an_arm_keeps_what_it_does_not_set(tmp_path):
    base = {"world": {"shapes": {"label_noise": 0.4}}, "model": "resnet", "budget": {"length": 2, "batch": 16}}
    arms = {"erm": {"world": {"shapes": {"correlation": 0.9, "shortcut": "colour"}}, "budget": {"epochs": 3}}, "mixup": {}}
    recipe = compiled(tmp_path, base=base, arms=arms).cells[0].recipe.data
    assert recipe["world"]["parameters"]["label_noise"] == 0.4
    assert recipe["world"]["parameters"]["correlation"] == 0.9
    assert recipe["budget"] == {"epochs": 3, "batch": 16}


def test_sizes_come_from_the_scale_unless_the_study_sets_them_and_caps_hold(tmp_path):
    world = {"shapes": {"train": 1000}}
    by_scale = {}
    for scale in ("ci", "laptop"):
        recipe = compiled(tmp_path, scale, base={"world": world, "model": "resnet", "budget": {"epochs": 50}}).recipes[0]
        by_scale[scale] = (recipe.data["world"]["parameters"]["train"], recipe.data["budget"]["epochs"])
    assert by_scale == {"ci": (192, 2), "laptop": (1000, 50)}


def test_length_multiplies_the_epochs_of_the_scale(tmp_path):
    study = compiled(tmp_path, arms={"erm": {}, "mixup": {"budget": {"length": 2.5}}})
    epochs = {cell.arm: cell.recipe.data["budget"]["epochs"] for cell in study.cells}
    assert epochs["mixup"] == 2.5 * epochs["erm"]


def test_a_sweep_makes_one_cell_a_value_in_every_arm(tmp_path):
    study = compiled(tmp_path, sweep={"world.label_noise": [0.0, 0.2]})
    assert [(cell.arm, cell.x) for cell in study.cells] == [("erm", 0.0), ("erm", 0.2), ("mixup", 0.0), ("mixup", 0.2)]
    noise = [cell.recipe.data["world"]["parameters"]["label_noise"] for cell in study.cells]
    assert noise == [0.0, 0.2, 0.0, 0.2]


def test_parents_come_before_children_and_ancestors_are_included(tmp_path):
    networks = {"grand": {}, "parent": {"start": "grand", "budget": {"length": 2}}}
    study = compiled(tmp_path, networks=networks, arms={"erm": {"start": "parent", "budget": {"length": 3}}, "mixup": {}})
    assert [recipe.depth for recipe in study.recipes] == [0, 1, 2]
    assert study.recipes[2].parents == [study.recipes[1]]


def test_a_recipe_survives_its_own_json(tmp_path):
    recipe = compiled(tmp_path).recipes[0]
    assert Recipe(json.loads(recipe.json)) == recipe


SAME = {
    "a parameter at its default": {"base": {"world": GOOD["base"]["world"], "model": {"resnet": {"width": 8}}}},
    "a default written as a whole number": {"arms": {"erm": {}, "mixup": {"augment": {"mixup": {"alpha": 1}}}}},
    "fields at their defaults": {
        "base": {
            **GOOD["base"],
            "objective": "cross_entropy",
            "optimizer": {"sgd": {"lr": 0.2}},
            "schedule": "cosine",
            "surgery": [],
            "draws": {"init": 0},
            "sampler": None,
            "reset": [],
        }
    },
    "what is only recorded": {"base": {**GOOD["base"], "record": ["margins"]}},
    "snapshots, which are only recorded": {"base": {**GOOD["base"], "record": ["margins", {"snapshots": [0, 0.5]}]}},
    "a parameter of the protocol at its default": {"protocol": {"classify": {"attack": None}}},
}
OTHER = {
    "a parameter": {"base": {"world": GOOD["base"]["world"], "model": {"resnet": {"width": 4}}}},
    "a parameter below another plug": {"arms": {"erm": {}, "mixup": {"augment": {"mixup": {"alpha": 0.5}}}}},
    "a field": {"base": {**GOOD["base"], "schedule": "constant"}},
    "a sampler": {"base": {**GOOD["base"], "sampler": {"subset": {"share": 0.5}}}},
    "a reset": {"base": {**GOOD["base"], "reset": 0.5}},
    "a draw": {"base": {**GOOD["base"], "draws": {"init": 1}}},
    "the name of an arm": {
        "arms": {"plain": {}, "mixup": GOOD["arms"]["mixup"]},
        "controls": ["plain.top1 > 0.3"],
        "expect": ["mixup.top1 > plain.top1"],
    },
    "the value of a sweep": {"sweep": {"world.label_noise": [0.4]}},
    "the protocol": {"protocol": {"classify": {"attack": "fgsm"}}},
    "a network behind": {"networks": {"first": {}}, "arms": {"erm": {"start": "first"}, "mixup": GOOD["arms"]["mixup"]}},
}


@pytest.mark.parametrize("changes", SAME.values(), ids=SAME)
def test_what_is_by_default_or_only_recorded_changes_no_plan_and_no_network(tmp_path, changes):
    plain, spelled = compiled(tmp_path), compiled(tmp_path, **changes)
    assert spelled.digest == plain.digest
    assert spelled.recipes == plain.recipes
    assert [recipe.name for recipe in spelled.recipes] == [recipe.name for recipe in plain.recipes]
    assert {recipe.world for recipe in spelled.recipes} == {recipe.world for recipe in plain.recipes}


@pytest.mark.parametrize("changes", OTHER.values(), ids=OTHER)
def test_what_is_measured_is_the_plan(tmp_path, changes):
    assert compiled(tmp_path, **changes).digest != compiled(tmp_path).digest


def test_the_number_of_repetitions_is_not_part_of_the_plan(tmp_path):
    assert replace(compiled(tmp_path), seeds=2).digest == compiled(tmp_path).digest


def test_defaults_are_left_out_below_other_plugs_and_parents(tmp_path):
    def digest(width: dict, attack: object) -> str:
        first = {"model": {"resnet": width}, "objective": {"adversarial_training": {"attack": attack}}}
        arms = {"erm": {"start": "first"}, "mixup": {"model": {"squeezed": {"of": {"resnet": width}}}}}
        return compiled(tmp_path, networks={"first": first}, arms=arms).digest

    assert digest({}, "pgd") == digest({"width": 8}, {"pgd": {}}) == digest({"width": 8, "blocks": 1}, {"pgd": {"steps": 10}})
    assert len({digest({}, "pgd"), digest({"width": 4}, "pgd"), digest({}, "fgsm"), digest({}, {"pgd": {"steps": 3}})}) == 4


def test_a_network_records_what_any_part_of_the_study_asks_for(tmp_path):
    study = compiled(tmp_path, arms={"erm": {"start": "kept"}, "mixup": {}}, networks={"kept": {"record": ["margins"]}})
    kept = study.networks["kept"]
    assert kept == study.cells[1].recipe
    assert [recipe.records for recipe in study.recipes] == [("margins",), ()]
    plain = study.cells[1].recipe
    assert plain.records == ()
    assert plain.recording(["margins"]).data == kept.data
    assert [recipe.records for recipe in each_once([plain, kept, plain])] == [("margins",)]
    assert plain.is_met_by(kept.data)
    assert not kept.is_met_by(plain.data)


def test_hooks_stand_in_a_recipe_only_where_they_are_used(tmp_path):
    arms = {"erm": {}, "mixup": {"sampler": {"subset": {"share": 1}}, "reset": [0.5, 0.25, 0.5]}}
    plain, hooked = (cell.recipe for cell in compiled(tmp_path, arms=arms).cells)
    assert not {"sampler", "reset"} & plain.data.keys()
    assert hooked.data["sampler"] == {"plug": "samplers/subset", "parameters": {"share": 1.0}}
    assert hooked.resets == (0.25, 0.5)
    assert "-subset-" in hooked.name
    assert "samplers/subset" in hooked.plugs
    without = {field: value for field, value in hooked.data.items() if field not in ("sampler", "reset")}
    assert Recipe({**without, "sampler": None, "reset": []}) == Recipe(without) == plain


def test_snapshots_that_several_ask_for_are_kept_for_all(tmp_path):
    arms = {"erm": {"record": {"snapshots": [1, 0]}}, "mixup": {"record": "snapshots"}}
    first, usual = (cell.recipe for cell in compiled(tmp_path, arms=arms).cells)
    assert first.snapshots == (0.0, 1.0)
    assert usual.snapshots == (0.0, 0.01, 0.032, 0.1, 0.32, 1.0)
    both = first.recording(["margins", "snapshot 0.5", "snapshot 1.0"])
    assert both.snapshots == (0.0, 0.5, 1.0)
    assert both == first
    assert first.is_met_by(both.data)
    assert not both.is_met_by(first.data)


@pytest.mark.parametrize(
    "data", [None, 3, [], {}, {"world": 1}, {"draws": 3, "record": 4}, {"model": {"plug": "x", "parameters": {}}}]
)
def test_foreign_data_meet_no_recipe(tmp_path, data):
    assert not compiled(tmp_path).recipes[0].is_met_by(data)


def test_deeply_nested_data_meet_no_recipe(tmp_path):
    data: dict = {}
    for _ in range(3000):
        data = {"of": data}
    assert not compiled(tmp_path).recipes[0].is_met_by(data)
