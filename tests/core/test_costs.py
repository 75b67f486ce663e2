"""Costs: each network once, whoever shares it; what is one's own; evidence too old to tell."""

import json

import pytest
from project_tree import ELSEWHERE

from assay.errors import EvidenceError
from assay.language.studies import load_studies
from assay.overview.costs import bill


@pytest.fixture
def tree(tree):
    """Two studies of two networks, two core seconds each; `erm` is the same network in both."""
    tree.study("other", arms={"erm": {}, "mixup": {"model": "mlp"}})
    tree.measure("other")
    return tree


def found(tree, *names):
    return bill(names, load_studies("laptop", tree.root / "config"), tree.root)


def test_a_shared_network_counts_once(tree):
    both = found(tree, "mixup", "other")
    assert [(row.networks, row.training, row.own, row.measuring) for row in both.studies] == [(2, 4.0, 2.0, 0.5)] * 2
    assert (both.training, both.own, both.measuring) == (6.0, 6.0, 1.0)


def test_what_a_study_adds_leaves_out_what_others_train_anyway(tree):
    one = found(tree, "other")
    assert (one.training, one.own, one.measuring) == (4.0, 2.0, 0.5)


def test_evidence_without_costs_by_network_is_refused_in_a_line(tree):
    path = tree.folder("other") / "provenance.json"
    provenance = json.loads(path.read_text())
    del provenance["cost"]["networks"]
    path.write_text(json.dumps(provenance))
    with pytest.raises(EvidenceError, match=r"^other: no evidence in .*; run snakemake$"):
        found(tree, "other")
    tree.vouch("other")
    with pytest.raises(EvidenceError, match=r"^other: a block lacks 'networks'; .*measure it anew$"):
        found(tree, "other")


def test_costs_are_told_in_trainings_of_the_network_that_most_studies_share(tree):
    """2 core seconds for five repetitions of a network are 0.4 for one; 4.5 of a study are 11.25 of these."""
    both = found(tree, "mixup", "other")
    shared = set(tree.compiled("mixup").recipes) & set(tree.compiled("other").recipes)
    assert both.default == next(iter(shared)).name
    assert [row.trainings for row in both.studies] == pytest.approx([4.5 / 0.4] * 2)
    assert both.trainings == pytest.approx(7.0 / 0.4)
    assert [row.shared_with for row in both.studies] == [("other",), ("mixup",)]


def test_a_study_without_the_default_network_is_told_in_trainings_of_others_that_have_it(tree):
    tree.study("third", arms={"erm": {"model": "mlp"}, "mixup": {"model": "cnn"}})
    tree.measure("third")
    (row,) = found(tree, "third").studies
    assert row.trainings == pytest.approx(4.5 / 0.4)


def test_platforms_are_not_mixed(tree):
    tree.measure("other", platform=ELSEWHERE)
    cost = json.loads((tree.folder("other") / "provenance.json").read_text())["cost"]
    slower = cost | {"networks": dict.fromkeys(cost["networks"], 20.0), "train_core_s": 40.0, "measure_core_s": 5.0}
    tree.measure("other", platform=ELSEWHERE, cost=slower)
    both = found(tree, "mixup", "other")
    assert [row.trainings for row in both.studies] == pytest.approx([4.5 / 0.4, 45 / 4.0])
    assert both.trainings is None


def test_all_blocks_cost(tree):
    tree.scale(first_look=10)
    tree.measure(block="5-9")
    (row,) = found(tree, "mixup").studies
    assert (row.networks, row.training, row.own, row.measuring) == (2, 8.0, 4.0, 1.0)
