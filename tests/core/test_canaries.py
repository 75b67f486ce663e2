"""Canaries use all that studies use, and none of them can be left out."""

from dataclasses import replace

import pytest

from assay.language.plugs import describe
from assay.language.recipes import Recipe
from assay.language.studies import load_studies
from assay.pipeline import canaries
from assay.pipeline.canaries import SCALE, cover, uses


@pytest.fixture(scope="module")
def studies():
    return load_studies(SCALE)


def off_default(value):
    """Plugs and parameters off their default in any data, parents included, found without the project's own walk."""
    if isinstance(value, list):
        return set().union(*map(off_default, value))
    if not isinstance(value, dict):
        return set()
    found = set().union(*map(off_default, value.values()))
    if "plug" in value:
        declared = describe(*value["plug"].split("/")).parameters
        found.add((value["plug"], ""))
        for name, given in value["parameters"].items():
            if declared[name].required or not is_default(declared[name], given):
                found.add((value["plug"], name))
    return found


def is_default(parameter, given) -> bool:
    """Whether a canonical value is what the source has as default; a plug by its name has all of its parameters at theirs."""
    if parameter.plug and parameter.default:
        named = zip(
            given if parameter.many else [given], parameter.default if parameter.many else [parameter.default], strict=True
        )
        return all(len(off_default(item)) == 1 and item["plug"] == f"{parameter.plug}/{name}" for item, name in named)
    return given == parameter.default


def used(study):
    return off_default([*(cell.protocol for cell in study.cells), *(cell.recipe.data for cell in study.cells)])


def test_canaries_use_every_plug_and_every_parameter_off_its_default(studies):
    chosen = [studies[name] for name in cover(studies)]
    covered, plugs = set().union(*map(used, chosen)), set().union(*(study.plugs for study in chosen))
    for name, study in studies.items():
        assert used(study) <= covered, name
        assert study.plugs <= plugs, name


def test_what_a_study_uses_is_what_its_data_say(studies):
    for name, study in studies.items():
        assert {use for use in uses(study) if use[0] != "recipe"} == used(study), name


def test_fields_that_are_no_plugs_are_used_too(studies):
    assert ("recipe", "record") in uses(studies["aum"])
    assert {("recipe", "start"), ("recipe", "draws")} <= uses(studies["soups"])
    assert not {use for use in uses(studies["mixup"]) if use[0] == "recipe"}


def test_a_sampler_and_a_reset_are_used_where_they_are_set(studies):
    plain = studies["mixup"].cells[0]
    hooks = {"sampler": {"plug": "samplers/subset", "parameters": {"share": 0.5}}, "reset": [0.5]}
    hooked = replace(plain, recipe=Recipe({**plain.recipe.data, **hooks}))
    added = uses(replace(studies["mixup"], cells=(hooked,))) - uses(replace(studies["mixup"], cells=(plain,)))
    assert added == {("samplers/subset", ""), ("samplers/subset", "share"), ("recipe", "reset")}


def test_no_canary_can_be_left_out(studies):
    used = {canary: uses(studies[canary]) for canary in cover(studies)}
    for canary in used:
        assert not used[canary] <= set().union(*(used[other] for other in used if other != canary)), canary


def test_the_choice_does_not_depend_on_the_order_of_studies(studies):
    backwards = dict(reversed(studies.items()))
    assert cover(backwards) == cover(studies)


@pytest.mark.parametrize(
    ("sets", "chosen"),
    [
        ({"a": "1234", "b": "125", "c": "346"}, ["b", "c"]),  # the largest set is superfluous once the others are in
        ({"a": "1", "b": "12", "c": "12"}, ["b"]),
        ({"a": "", "b": "1"}, ["b"]),
        ({"a": "1", "b": "2"}, ["a", "b"]),
        ({}, []),
    ],
)
def test_small_covers(monkeypatch, studies, sets, chosen):
    monkeypatch.setattr(canaries, "uses", lambda study: frozenset(sets[study.file]))
    some = next(iter(studies.values()))
    assert cover({name: replace(some, file=name) for name in sets}) == chosen
