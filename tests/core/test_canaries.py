"""Canaries use all that studies use, and none of them can be left out."""

from dataclasses import replace

import pytest

from assay.data.batch import Batch
from assay.language.plugs import describe, find
from assay.language.recipes import HOOKS, RECORDS, Recipe
from assay.language.studies import load_studies, study_paths
from assay.pipeline import canaries, canary_job
from assay.pipeline.canaries import SCALE, cover, uses
from assay.samplers.weighted import weighted
from assay.storage.places import PROJECT
from assay.training.run import Run


@pytest.fixture(scope="module")
def studies():
    return load_studies(SCALE, canaries=True)


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
    assert ("recipe", "record margins") in uses(studies["aum"])
    assert {("recipe", "start"), ("recipe", "draws")} <= uses(studies["soups"])
    assert not {use for use in uses(studies["mixup"]) if use[0] == "recipe"}


def test_a_sampler_and_a_reset_are_used_where_they_are_set(studies):
    plain = studies["mixup"].cells[0]
    hooks = {"sampler": {"plug": "samplers/subset", "parameters": {"share": 0.5}}, "reset": [0.5]}
    hooked = replace(plain, recipe=Recipe({**plain.recipe.data, **hooks}))
    added = uses(replace(studies["mixup"], cells=(hooked,))) - uses(replace(studies["mixup"], cells=(plain,)))
    assert added == {("samplers/subset", ""), ("samplers/subset", "share"), ("recipe", "reset")}


def test_no_canary_can_be_left_out(studies):
    used = {canary: uses(studies[canary]) for canary in cover(load_studies(SCALE))}
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


def test_files_of_canaries_are_no_studies_elsewhere(studies):
    own = study_paths(canaries=True).keys() - study_paths().keys()
    assert own == {path.stem for path in (PROJECT / "config/canaries").iterdir()} == studies.keys() - load_studies(SCALE).keys()
    assert own <= set(cover(studies))
    assert not own & load_studies(SCALE).keys()


def test_files_of_canaries_are_taken_for_what_no_study_uses(studies):
    """So a study that comes to use a hook speaks for itself."""
    hooks, known = studies["hooks"], load_studies(SCALE)
    assert cover(studies) == sorted([*cover(known), "hooks"])
    every = replace(known["mixup"], name="every", cells=hooks.cells)
    assert set(cover(known | {"every": every, "hooks": hooks})) >= {"every"}
    assert "hooks" not in cover(known | {"every": every, "hooks": hooks})


def test_every_hook_is_switched_on_by_a_canary(studies):
    """What the code can do, and not only what studies use: the next sampler brings its canary."""
    used = set().union(*(uses(studies[name]) for name in cover(studies)))
    assert {(f"samplers/{name}", "") for name in find("samplers")} <= used
    assert {("recipe", "record margins"), ("recipe", "record snapshot"), ("recipe", "reset"), ("objectives/rex", "")} <= used
    assert (set(HOOKS), set(RECORDS)) == ({"sampler", "reset"}, {"margins", "snapshots"})


def early(run):
    """Snapshots a step too early."""
    steps = [max(0, round(share * run.steps) - 1) for share in run.recipe.snapshots]
    for share, step in zip(run.recipe.snapshots, steps, strict=True):
        if run.done == step:
            run.snapshots[str(share)] = {name: value.clone() for name, value in run.network.state_dict().items()}


def in_order(rows, count, generator):
    return rows.repeat(-(-count // len(rows)))[:count]


def evenly(epoch, generator, weights, factor):
    return weighted(epoch, generator, weights=[1.0] * len(weights), factor=factor)


apart = Batch.apart
FAULTS = {
    "one environment left out": lambda patch: patch.setattr(Batch, "apart", lambda batch, factor: apart(batch, factor)[:1]),
    "nothing forgotten": lambda patch: patch.setattr(Recipe, "resets", ()),
    "forgotten once more": lambda patch: patch.setattr(Recipe, "resets", (0.3, 0.5, 0.7)),
    "a subset in order": lambda patch: patch.setattr("assay.samplers.subset.passes", in_order),
    "groups in order": lambda patch: patch.setattr("assay.samplers.balanced.passes", in_order),
    "environments in order": lambda patch: patch.setattr("assay.samplers.alternating.passes", in_order),
    "weights without effect": lambda patch: patch.setattr("assay.samplers.weighted.weighted", evenly),
    "early snapshots": lambda patch: patch.setattr(Run, "keep_snapshots", early),
}


@pytest.fixture(scope="module")
def before(studies, tmp_path_factory):
    return canary_job.measured(studies["hooks"], tmp_path_factory.mktemp("before"))


def test_the_canary_of_hooks_computes_the_same_twice(studies, before, tmp_path):
    assert canary_job.measured(studies["hooks"], tmp_path) == before


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_a_hook_is_seen_by_its_canary(fault, studies, before, tmp_path, monkeypatch):
    FAULTS[fault](monkeypatch)
    after = canary_job.measured(studies["hooks"], tmp_path)
    assert after["weights"] != before["weights"]
