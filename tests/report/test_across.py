"""Views across papers on entries made by hand: only what is comparable stands together, only opposite findings disagree."""

import pytest
import synthetic

from assay.evidence.tables import Observation
from assay.language import catalogue
from assay.report.across import comparisons, leaderboards, network_users, papers_with_several_studies, shared_with
from assay.report.atlas import Entry
from assay.report.page import Page, as_table

WORLD = {"shapes": {"train": 64}}
BUDGET = {"epochs": 8, "batch": 64}
PAPERS = catalogue.load()


def recipe(world=WORLD, budget=BUDGET, protocol="classify", **fields) -> dict:
    return {"world": world, "model": "resnet", "budget": budget, "protocol": protocol, **fields}


def entry(name: str, arms: dict[str, dict], values: dict, paper: str = "P166", **more) -> Entry:
    """A study of these recipes that measured values: (arm, metric) -> one number a seed."""
    rows = [
        Observation(name, arm, seed, metric, None, value)
        for (arm, metric), numbers in values.items()
        for seed, value in enumerate(numbers)
    ]
    study = synthetic.view(name, paper, "video", arms=arms, recipes=arms, metrics=more.get("metrics", {"top1": "accuracy"}))
    judged = [{"text": text, "word": word, "reason": reason} for text, (word, reason) in more.get("judged", ())]
    verdict = {"word": more.get("word", "open"), "expectations": judged, "secondary": []}
    provenance = {"recipes": more.get("networks", []), "seeds": sorted({row.seed for row in rows})}
    page = Page(study, PAPERS[paper], as_table(rows), {}, verdict, provenance)
    return Entry(study, PAPERS[paper], page, None, "laptop")


def test_networks_of_one_world_and_budget_are_ranked_over_studies():
    first = entry(
        "a", {"erm": recipe(), "mix": recipe(augment=["mixup"])}, {("erm", "top1"): [0.5, 0.7], ("mix", "top1"): [0.8, 0.8]}
    )
    second = entry("b", {"big": recipe(model="vit")}, {("big", "top1"): [0.7, 0.7]})
    (board,) = leaderboards([first, second])
    assert (board.metric, board.text, board.world, board.budget) == ("top1", "accuracy", WORLD, BUDGET)
    assert [(score.arms, round(score.mean, 12)) for score in board.scores] == [
        ((("a", "mix"),), 0.8),
        ((("b", "big"),), 0.7),
        ((("a", "erm"),), 0.6),
    ]
    assert board.varied == ["model", "augment"]


def test_the_same_network_in_two_studies_is_one_line():
    values = {("erm", "top1"): [0.5, 0.7], ("mix", "top1"): [0.8, 0.8]}
    arms = {"erm": recipe(), "mix": recipe(augment=["mixup"])}
    (board,) = leaderboards([entry("a", arms, values), entry("b", {"plain": recipe()}, {("plain", "top1"): [0.5, 0.7]})])
    assert [score.arms for score in board.scores] == [(("a", "mix"),), (("a", "erm"), ("b", "plain"))]


@pytest.mark.parametrize(
    "other",
    [
        entry("b", {"x": recipe(world="digits")}, {("x", "top1"): [0.5, 0.7]}),
        entry("b", {"x": recipe(budget={"epochs": 9, "batch": 64})}, {("x", "top1"): [0.5, 0.7]}),
        entry("b", {"x": recipe()}, {("x", "top1"): [0.5]}),
        entry("b", {"x": recipe()}, {("x", "top1"): [0.5, 0.7]}, metrics={"top1": "accuracy on corrupted images"}),
        entry("b", {"x": recipe()}, {("x", "top1"): [0.5, 0.7]}, word="invalid"),
    ],
    ids=["world", "budget", "seeds", "meaning", "failed control"],
)
def test_what_cannot_be_compared_stands_apart(other):
    one = entry(
        "a", {"erm": recipe(), "mix": recipe(augment=["mixup"])}, {("erm", "top1"): [0.5, 0.7], ("mix", "top1"): [0.8, 0.8]}
    )
    assert leaderboards([one, other]) == []


def test_a_metric_that_a_protocol_sets_needs_the_same_setting():
    """Accuracy is the network's own; error under attack is not comparable between attacks."""
    metrics = {"top1": "accuracy", "robust": "accuracy under attack"}

    def study(name: str, eps: float) -> Entry:
        values = {("erm", metric): [eps, eps] for metric in metrics}
        return entry(name, {"erm": recipe(protocol={"classify": {"attack": {"fgsm": {"eps": eps}}}})}, values, metrics=metrics)

    assert {board.metric for board in leaderboards([study("a", 0.1), study("b", 0.2)])} == {"top1"}


HELD = ("holds", None)


def outcomes(*judged: tuple[dict, str, tuple]) -> list[Entry]:
    """Studies a, b, ... of two arms each, with one judged comparison."""
    return [
        entry(chr(97 + number), arms, {("erm", "top1"): [0.5], ("mix", "top1"): [0.5]}, judged=[(text, said)])
        for number, (arms, text, said) in enumerate(judged)
    ]


PLAIN = {"erm": recipe(), "mix": recipe(augment=["mixup"])}
NAMED_OTHERWISE = {"mix": recipe(), "erm": recipe(augment=["mixup"])}


@pytest.mark.parametrize(
    ("second", "disagrees"),
    [
        ((PLAIN, "mix.top1 > erm.top1", HELD), False),
        ((PLAIN, "mix.top1 > erm.top1", ("fails", "reversed")), True),
        ((PLAIN, "mix.top1 > erm.top1", ("fails", "absent")), True),
        ((PLAIN, "mix.top1 > erm.top1", ("fails", "smaller")), False),  # ahead by less than asked, or not at all
        ((PLAIN, "mix.top1 > erm.top1", ("open", None)), False),
        ((PLAIN, "mix.top1 < erm.top1", HELD), True),
        ((PLAIN, "erm.top1 < mix.top1", HELD), False),
        ((NAMED_OTHERWISE, "erm.top1 > mix.top1", HELD), False),
        ((NAMED_OTHERWISE, "mix.top1 > erm.top1", HELD), True),
    ],
)
def test_opposite_findings_on_one_comparison_disagree(second, disagrees):
    (comparison,) = comparisons(outcomes((PLAIN, "mix.top1 > erm.top1", HELD), second))
    assert comparison.disagrees == disagrees
    assert [field for field, *_ in comparison.changes] == ["augment"]
    assert [outcome.study for outcome in comparison.outcomes] == ["a", "b"]


@pytest.mark.parametrize(
    "second",
    [
        ({"erm": recipe(), "mix": recipe(augment=["augmix"])}, "mix.top1 > erm.top1", ("fails", "reversed")),
        (PLAIN, "mix.top1[3] > erm.top1[3]", ("fails", "reversed")),
        (PLAIN, "mix.top1 - erm.top1 > erm.top1 - mix.top1", ("fails", "reversed")),
        (PLAIN, "mix.top1 > 0.3", ("fails", "reversed")),
    ],
    ids=["another change", "another place", "not two arms", "a number"],
)
def test_other_comparisons_are_not_mixed_in(second):
    assert comparisons(outcomes((PLAIN, "mix.top1 > erm.top1", HELD), second)) == []


def test_one_study_cannot_disagree_with_itself():
    twice = entry(
        "a", PLAIN, {("erm", "top1"): [0.5]},
        judged=[("mix.top1 > erm.top1", HELD), ("mix.top1 < erm.top1", HELD)],
    )  # fmt: skip
    assert comparisons([twice]) == []


def test_papers_with_several_studies_and_whether_they_agree():
    values = {("erm", "top1"): [0.5]}
    same = [entry(name, PLAIN, values) for name in "ab"]
    other = [entry("c", PLAIN, values, paper="P127"), entry("d", PLAIN, values, paper="P127", word="supported")]
    alone = entry("e", PLAIN, values, paper="P194")
    found = papers_with_several_studies([*same, *other, alone])
    assert [([e.study.name for e in studies], differ) for _, studies, differ in found] == [
        (["a", "b"], False),
        (["c", "d"], True),
    ]


def test_shared_networks_are_listed_with_the_other_studies():
    values = {("erm", "top1"): [0.5]}
    entries = [entry("a", PLAIN, values, networks=["n1", "n2"]), entry("b", PLAIN, values, networks=["n2", "n3"])]
    users = network_users(entries)
    assert users == {"n1": ["a"], "n2": ["a", "b"], "n3": ["b"]}
    assert shared_with(entries[0], users) == {"n2": ["b"]}
