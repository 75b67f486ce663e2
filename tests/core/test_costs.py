"""Costs: each network once, whoever shares it; what is one's own; evidence too old to tell."""

import json

import pytest
from project_tree import Tree

from assay.errors import EvidenceError
from assay.language.studies import load_studies
from assay.overview.costs import bill


@pytest.fixture
def tree(tmp_path):
    """Two studies of two networks, two core seconds each; `erm` is the same network in both."""
    tree = Tree(tmp_path).complete()
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


def test_all_blocks_cost(tree):
    tree.scale(seeds=10)
    tree.measure(block="5-9")
    (row,) = found(tree, "mixup").studies
    assert (row.networks, row.training, row.own, row.measuring) == (2, 8.0, 4.0, 1.0)
