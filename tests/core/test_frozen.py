"""Frozen studies: what counts as their text, the record of a trial, who is refused judged draws without one, and warnings."""

import json
import os
import shutil
from statistics import mean, stdev

import pytest
import torch
import yaml
from project_tree import HERE, STUDY, Tree
from typer.testing import CliRunner

from assay import cli
from assay.cli.checking import check
from assay.errors import AssayError, StudyError
from assay.evidence.tables import Observation, write_evidence
from assay.judging import freezing
from assay.judging.freezing import freeze
from assay.language.configuration import Config
from assay.language.draws import VARIABLE, drawing
from assay.language.frozen import Accuracy, Claim, Frozen, records, refuse_unfrozen, warnings_of, write_record
from assay.language.recipes import Recipe
from assay.language.studies import load_studies
from assay.language.study import Study
from assay.measuring.budgets import chosen, doubled
from assay.pipeline.deciding import decide
from assay.storage.files import read_json
from assay.storage.places import WORK as ROOT
from assay.training.trainer import make_world, train

FORTY = set(read_json(ROOT / "tests/judge/forty_studies.json"))


@pytest.fixture
def tree(tmp_path):
    """A project with a trial of its study, and no judged draws."""
    tree = Tree(tmp_path)
    tree.results = tmp_path / "results" / "laptop-trial"
    tree.scale()
    tree.scale("ci", conclusive=False, first_look=1, block=1)
    tree.study()
    tree.measure(draws="trial")
    return tree


def record(study, **changes) -> Frozen:
    given = {
        "study": study.name,
        "scale": study.scale,
        "judged_sha256": study.judged_digest,
        "draws": "trial",
        "seeds": [0, 1, 2, 3, 4],
        "claims": [],
        "accuracy": {},
        "left_out": {},
    }
    return Frozen(**given | changes)


def frozen(tree, **changes) -> Frozen:
    made = record(tree.compiled(), **changes)
    write_record(made, tree.root / "config")
    return made


def in_one_line(call, *arguments, **more) -> str:
    with pytest.raises(AssayError) as caught:
        call(*arguments, **more)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# What is frozen

DECIDES = {
    "base": {"world": "shapes", "model": "mlp"},
    "arms": {"erm": {}, "mixup": {"augment": {"mixup": {"alpha": 0.5}}}},
    "networks": {"teacher": {}},
    "sweep": {"world.label_noise": [0, 0.2]},
    "protocol": {"classify": {"attack": "fgsm"}},
    "controls": ["erm.top1 > 0.4"],
    "expect": ["mixup.top1 < erm.top1"],
    "margin": {"top1": 0.01},
}
DECIDES_NOTHING = {
    "question": "What then?",
    "draft": True,
    "revised": [{"seen": 5, "why": "It asked too much."}],
    "notes": "New.",
    "figure": "lines",
    "secondary": ["mixup.loss < erm.loss"],
    "published": [{"metric": "erm.top1", "value": 0.5, "source": "table 1", "setting": "CIFAR-10"}],
}


@pytest.mark.parametrize("key", DECIDES)
def test_what_decides_numbers_or_words_is_frozen(tree, key):
    digest = tree.compiled().judged_digest
    tree.study(**{key: DECIDES[key]})
    assert tree.compiled().judged_digest != digest


@pytest.mark.parametrize("key", DECIDES_NOTHING)
def test_what_decides_nothing_is_not(tree, key):
    digest = tree.compiled().judged_digest
    tree.study(**{key: DECIDES_NOTHING[key]})
    assert tree.compiled().judged_digest == digest


def test_every_key_of_a_study_either_decides_or_does_not():
    from assay.language.study import StudyFile

    assert set(DECIDES) | set(DECIDES_NOTHING) == set(StudyFile.model_fields) - {"paper", "baseline"}


def test_neither_the_order_of_keys_nor_the_scale_changes_what_is_frozen(tree):
    digest = tree.compiled().judged_digest
    turned = {key: dict(reversed(value.items())) if isinstance(value, dict) else value for key, value in STUDY.items()}
    path = tree.root / "config/studies/training-recipes/mixup.yaml"
    path.write_text("# a comment\n" + yaml.safe_dump(dict(reversed(turned.items())), sort_keys=False))
    tree.scale(budget={"epochs": 3, "batch": 8}, first_look=7, block=7)
    assert tree.compiled().judged_digest == digest
    assert load_studies("ci", tree.root / "config")["mixup"].judged_digest == digest


# The record


def test_a_record_holds_what_the_trial_said(tree):
    """Effects are 0.1 + 0.001 (seed - 2): their mean is 0.1 and their variance (4 + 1 + 0 + 1 + 4) / 4 millionths."""
    tree.study(expect=["mixup.top1 > erm.top1", "-0.2 < mixup.top1 - erm.top1 < 0.4"], margin={"top1": 0.02})
    tree.measure(draws="trial")
    made = freeze(tree.compiled(), "trial", lambda line: None, tree.root)
    assert (made.study, made.scale, made.draws, made.seeds) == ("mixup", "laptop", "trial", [0, 1, 2, 3, 4])
    assert made.judged_sha256 == tree.compiled().judged_digest
    difference, equivalence = made.claims
    assert (difference.mean, difference.deviation) == pytest.approx((0.1, 2.5**0.5 / 1000), rel=1e-5)
    assert (difference.margin, equivalence.margin) == (0.02, pytest.approx(0.3))
    assert equivalence.mean == pytest.approx(0.1)


def accuracy(recipe: Recipe, seed: int) -> float:
    """Straight from the trainer."""
    test = make_world(recipe, seed).test
    with torch.no_grad():
        answers = train(recipe, seed).network(torch.from_numpy(test.images)).argmax(1).numpy()
    return float((answers == test.labels).mean())


def test_accuracies_are_those_of_trainings_on_the_trial_draws_at_one_and_two_budgets(tree):
    made = freeze(tree.compiled(), "trial", lambda line: None, tree.root)
    recipes = tree.compiled().recipes
    assert set(made.accuracy) == {recipe.name for recipe in recipes}
    with drawing("trial"):
        for recipe in recipes:
            longer = Recipe({**recipe.data, "budget": {"epochs": 2, "batch": 32}})
            seen = [accuracy(recipe, seed) for seed in range(5)]
            found = made.accuracy[recipe.name]
            longer_seen = [accuracy(longer, seed) for seed in range(2)]
            assert (found.once, found.twice) == pytest.approx((mean(seen[:2]), mean(longer_seen)), rel=1e-5)
            assert found.deviation == pytest.approx(stdev(seen), rel=1e-5)
            assert mean(seen) > 0
            longer_ones = tree.results / "networks" / longer.name
            assert sorted(path.name for path in longer_ones.glob("*.safetensors")) == ["seed-0.safetensors", "seed-1.safetensors"]
    assert VARIABLE not in os.environ


def test_the_bytes_of_a_record_can_be_made_again(tree):
    first = freeze(tree.compiled(), "trial", lambda line: None, tree.root).text
    told = []
    assert freeze(tree.compiled(), "trial", told.append, tree.root).text == first
    assert [line for line in told if not line.endswith("measured")] == []  # networks were there
    shutil.rmtree(tree.results / "networks")
    assert freeze(tree.compiled(), "trial", told.append, tree.root).text == first
    assert told
    path = write_record(Frozen.model_validate_json(first), tree.root / "config")
    assert path.relative_to(tree.root).as_posix() == "config/frozen/laptop/mixup.json"
    assert path.read_text() == first


def test_all_that_a_network_is_made_from_is_trained_twice_as_long():
    def data(epochs, **more):
        return {"budget": {"epochs": epochs, "batch": 8}, "start": None, "surgery": [], **more}

    def made_from(first, second, third):
        teacher = {"plug": "objectives/distill", "parameters": {"teacher": {"recipe": data(second)}, "alpha": 0.5}}
        pool = [{"plug": "surgery/uniform_soup", "parameters": {"members": [{"recipe": data(third)}]}}]
        return Recipe(data(first, objective=teacher, start={"recipe": data(0, start={"recipe": data(7)})}, surgery=pool))

    longer = doubled(made_from(3, 4, 5)).data
    assert longer["budget"] == {"epochs": 6, "batch": 8}
    assert longer["objective"]["parameters"]["teacher"]["recipe"]["budget"]["epochs"] == 8
    assert longer["objective"]["parameters"]["alpha"] == 0.5
    assert longer["surgery"][0]["parameters"]["members"][0]["recipe"]["budget"]["epochs"] == 10
    assert longer["start"]["recipe"]["budget"]["epochs"] == 0
    assert longer["start"]["recipe"]["start"]["recipe"]["budget"]["epochs"] == 14


def test_networks_without_a_trained_classifier_are_left_out_and_named(tree):
    arms = {
        "erm": {},
        "mixup": {"augment": "mixup"},
        "random": {"budget": {"epochs": 0}},
        "pairs": {"objective": "simsiam", "augment": {"views": {"of": ["noise"]}}},
        "probed": {"start": "pairs"},
    }
    tree.study(arms=arms)
    study = tree.compiled()
    name = {cell.arm: cell.recipe.name for cell in study.cells}
    networks, left_out = chosen(study)
    assert {recipe.name for recipe in networks} == {name[arm] for arm in ("erm", "mixup", "probed")}
    assert left_out == {
        name["random"]: "nothing of it is trained",
        name["pairs"]: "its objective trains no classifier",
    }


def test_objectives_that_train_no_classifier_say_so():
    from assay.language.plugs import find

    silent = {name for name, info in find("objectives").items() if info.constants.get("CLASSIFIES", True)}
    assert set(find("objectives")) - silent == {"gan", "reconstruction", "simclr", "simsiam", "spectral_gan"}


def test_a_protocol_that_trains_is_named():
    networks, left_out = chosen(load_studies("laptop", only=["sample_complexity"])["sample_complexity"])
    assert networks == []
    assert left_out == {"protocol sample_complexity": "trains networks of its own while measuring"}


def without_a_seed(tree):
    folder = tree.folder()
    rows = [Observation("mixup", arm, seed, "top1", None, 0.5) for arm in ("erm", "mixup") for seed in range(4)]
    write_evidence(folder, rows, {}, read_json(folder / "provenance.json"))


CANNOT_BE_FROZEN = {
    "judged draws": (lambda tree: None, {"draws": "judged"}, "--draws: 'judged' are what the frozen study will be judged on"),
    "a path": (lambda tree: None, {"draws": "../laptop"}, "--draws: '../laptop' is not allowed"),
    "other draws": (lambda tree: tree.measure(draws="trial-2"), {}, "its trial is of other draws ('trial-2')"),
    "judged evidence": (lambda tree: tree.measure(), {}, "its trial is of other draws ('judged')"),
    "no trial": (
        lambda tree: None,
        {"draws": "second"},
        "no trial in results/laptop-second, or one that is not whole; run: snakemake --config draws=second",
    ),
    "another text": (lambda tree: tree.study(base={"world": "shapes", "model": "mlp"}), {}, "its trial is stale: what the study"),
    "other code": (lambda tree: tree.measure(draws="trial", code={}), {}, "its trial is unproven: "),
    "a block less": (
        lambda tree: tree.scale(first_look=10),
        {},
        "no trial in results/laptop-trial, or one that is not whole; run: ",
    ),
    "a seed less": (without_a_seed, {}, "its trial lacks seed 4 of 5"),
}


@pytest.mark.parametrize("case", CANNOT_BE_FROZEN)
def test_what_is_no_trial_of_the_text_is_not_frozen(tree, monkeypatch, case):
    monkeypatch.setattr(freezing, "_accuracies", lambda *arguments: pytest.fail("trained before the trial was checked"))
    spoil, given, said = CANNOT_BE_FROZEN[case]
    spoil(tree)
    assert said in in_one_line(freeze, tree.compiled(), **{"draws": "trial", "root": tree.root} | given)


def test_nothing_is_frozen_at_a_scale_that_shows_no_spread(tree):
    study = load_studies("ci", tree.root / "config")["mixup"]
    assert in_one_line(freeze, study, "trial", root=tree.root) == "--scale: no spread can be told from 'ci' (allowed: laptop)"


# Judged draws


def measured(tree, given: Config) -> list[Study]:
    """The studies that a run measures."""
    studies = load_studies(given.scale, tree.root / "config")
    chosen = list(studies) if given.studies == "all" else given.studies
    sources = decide(studies, chosen, given.evidence, tree.root / given.results, HERE, tree.root)
    return [studies[name] for name in dict.fromkeys(name for name, _ in sources.computed)]


def outcome(tree, **run) -> tuple[str | None, list[str]]:
    """What a run is refused with, if it is, and what it says."""
    told: list[str] = []
    given = Config(**{"scale": "laptop"} | run)
    try:
        refuse_unfrozen(given, measured(tree, given), told.append, tree.root / "config")
    except StudyError as error:
        return str(error), told
    return None, told


def refused(tree, **run) -> str | None:
    said, _ = outcome(tree, **run)
    assert said is None or "\n" not in said
    return said


def test_judged_draws_are_refused_until_the_text_is_frozen(tree):
    assert refused(tree) == (
        "mixup: was not tried on other draws first, so its judged draws are not made at scale laptop; run: snakemake --config"
        " draws=trial scale=laptop 'studies=[mixup]', then: assay freeze mixup --scale laptop"
    )
    frozen(tree)
    assert outcome(tree) == (None, [])
    tree.study(margin={"top1": 0.01})
    assert refused(tree).startswith("mixup: what it measures or claims changed since it was frozen or judged, so ")
    frozen(tree)
    assert refused(tree) is None


@pytest.mark.parametrize("run", [{"draws": "trial"}, {"scale": "ci"}, {"evidence": "archive"}])
def test_a_draft_can_be_tried_and_the_archive_shown(tree, run):
    assert refused(tree, **run) is None


def test_a_record_is_of_the_text_whatever_the_scale_it_was_tried_at(tree):
    tree.scale("big")
    frozen(tree)
    assert refused(tree, scale="big") is None


def test_only_the_studies_asked_for_are_looked_at(tree):
    tree.study("draft")
    frozen(tree)
    assert refused(tree, studies=["mixup"]) is None
    assert refused(tree, studies=["mixup", "draft"]).startswith("draft: ")
    assert refused(tree).startswith("draft: ")


def test_archived_evidence_is_shown_without_a_record(tree):
    """Only what is measured anew needs one: a clone shows what others judged."""
    tree.archive()
    assert refused(tree) is None
    assert refused(tree, evidence="recomputed").startswith("mixup: was not tried on other draws first")


def before(tree, **studies) -> None:
    path = tree.root / "config/frozen/before.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"format": 1, "why": "judged before", "studies": studies}))


def test_texts_judged_before_there_were_records_pass_and_the_reason_is_told(tree):
    before(tree, mixup=tree.compiled().judged_digest)
    assert outcome(tree) == (None, ["1 of 1 studies to be measured were judged before (config/frozen/before.json)"])
    tree.study(notes="More to read.")
    assert refused(tree) is None
    tree.study(expect=["mixup.top1 > 1.01 * erm.top1"])
    assert refused(tree).startswith("mixup: what it measures or claims changed since it was frozen or judged")


def test_the_list_of_earlier_texts_is_that_of_the_forty_and_closed():
    assert set(read_json(ROOT / "config/frozen/before.json")["studies"]) == FORTY


@pytest.mark.parametrize("scale", ["laptop", "cluster"])
def test_every_committed_study_may_be_judged(scale):
    refuse_unfrozen(Config(scale=scale), load_studies(scale).values(), lambda line: None)


SPOILED = {
    "cut": (
        lambda text: text[:40],
        "config/frozen/laptop/mixup.json: not a JSON object; restore it with git, or run: assay freeze",
    ),
    "a list": (lambda text: "[]", "not a JSON object; restore it"),
    "unknown format": (
        lambda text: text.replace('"format": 1', '"format": 2'),
        "key 'format': input should be 1, got 2; restore",
    ),
    "unknown key": (lambda text: text.replace('"format"', '"fromat"'), "unknown key 'fromat'"),
    "no number": (lambda text: text.replace('"mean": 0.1', '"mean": NaN'), "key 'claims.0.mean': "),
    "foreign": (lambda text: text.replace('"mixup"', '"other"'), "is of study 'other' at scale 'laptop'; restore it"),
}


@pytest.mark.parametrize("case", SPOILED)
def test_a_record_that_cannot_be_used_is_said_in_one_line(tree, case):
    frozen(tree, claims=[Claim(text="a", mean=0.1, deviation=0.1, margin=0.1)])
    path = tree.root / "config/frozen/laptop/mixup.json"
    spoil, said = SPOILED[case]
    path.write_text(spoil(path.read_text()))
    assert said in refused(tree)


# Warnings


def claim(margin: float, deviation: float) -> Claim:
    return Claim(text="mixup.top1 > erm.top1", mean=0.1, deviation=deviation, margin=margin)


@pytest.mark.parametrize(
    ("margin", "deviation", "warned"), [(0.01, 0.02, False), (0.01, 0.021, True), (0.0, 0.001, True), (0.0, 0.0, False)]
)
def test_a_margin_below_half_of_the_spread_is_warned_of(tree, margin, deviation, warned):
    frozen(tree, claims=[claim(margin, deviation)])
    expected = (
        f"mixup: 'mixup.top1 > erm.top1': the margin {margin:g} is less than half of what seeds vary by on trial draws"
        f" ({deviation:g} at scale laptop)"
    )
    assert warnings_of(tree.compiled(), tree.root / "config") == ([expected] if warned else [])


@pytest.mark.parametrize(
    ("margin", "deviation", "twice", "warned"),
    [
        ({"top1": 0.02}, 0.01, 0.53, True),
        ({"top1": 0.02}, 0.01, 0.47, True),
        ({"top1": 0.02}, 0.01, 0.515, False),
        ({"top1": 0.02}, 0.07, 0.53, False),
        ({"loss": 1.0}, 0.01, 0.51, True),
        ({}, 0.03, 0.51, False),
        ({}, 0.03, 0.52, True),
    ],
)
def test_a_budget_whose_double_changes_accuracy_is_warned_of(tree, margin, deviation, twice, warned):
    tree.study(margin=margin, expect=["mixup.top1 > erm.top1", "mixup.loss < erm.loss"])
    frozen(tree, accuracy={"linear-1": Accuracy(once=0.5, twice=twice, deviation=deviation)})
    found = warnings_of(tree.compiled(), tree.root / "config")
    assert len(found) == warned
    if warned:
        assert f"mixup: linear-1: twice the budget changes its accuracy from 0.5 to {twice:g}, by more than" in found[0]


def test_a_study_without_a_record_is_not_frozen_yet_and_earlier_ones_are_quiet(tree):
    config = tree.root / "config"
    assert warnings_of(tree.compiled(), config) == ["mixup: not frozen yet"]
    before(tree, mixup=tree.compiled().judged_digest)
    assert warnings_of(tree.compiled(), config) == []
    frozen(tree, judged_sha256="0" * 64)
    assert warnings_of(tree.compiled(), config) == []
    tree.study(margin={"top1": 0.01})
    assert warnings_of(tree.compiled(), config) == ["mixup: not frozen yet"]
    assert len(records("mixup", config)) == 1


def test_check_warns_without_failing_and_counts_the_earlier_ones(tree):
    config = tree.root / "config"
    tree.study("draft")
    before(tree, mixup=tree.compiled().judged_digest)
    assert check(config)[:3] == ([], ["draft: not frozen yet"], "1 studies were judged before")
    (config / "frozen/laptop").mkdir()
    (config / "frozen/laptop/draft.json").write_text("{")
    (problem,), warnings, *_ = check(config)
    assert "config/frozen/laptop/draft.json: not a JSON object" in problem
    assert warnings == []


def test_the_committed_studies_are_warned_about_enlarged_digits_and_trials_and_none_waits_for_its_record():
    told = CliRunner().invoke(cli.app, ["check"])
    assert told.exit_code == 0
    recorded = {path.stem for path in (ROOT / "config/frozen/laptop").glob("*.json")}
    assert recorded >= FORTY
    assert "before records of trials were kept" not in told.stdout
    warnings = json.loads(CliRunner().invoke(cli.app, ["check", "--json"]).stdout)["warnings"]
    enlarged = [line for line in warnings if "world digits has images of 8 px" in line]
    assert enlarged
    assert {line.split(":")[0] for line in warnings if line not in enlarged} <= recorded
    assert not any("not frozen" in line for line in warnings)


def test_the_command_says_in_one_line_what_it_cannot_freeze():
    told = CliRunner().invoke(cli.app, ["freeze", "mixup", "--draws", "nobody-drew-this"])
    assert told.exit_code == 1
    assert told.stderr.startswith(
        "error: mixup: no trial in results/laptop-nobody-drew-this, or one that is not whole; run: snakemake --config draws="
    )
    assert told.stderr.count("\n") == 1
