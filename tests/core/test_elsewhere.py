"""The same study at other scales: found in a ledger and in reports written by hand, on a project of one study."""

import json

import pytest
from project_tree import STUDY, Tree

from assay.artifacts.ledger import Found, Line, write_ledger
from assay.language.studies import load_studies
from assay.language.study import digest_of_judgement
from assay.overview.elsewhere import elsewhere, images_of

REAL = {
    "settings": {"clothes": {"keep_sizes": True, "worlds": {"shapes": "fashion_mnist", "digits": {"idx": {"name": "kmnist"}}}}},
    "titles": {"fashion_mnist": "Fashion-MNIST"},
    "only_stand_ins": True,
}


@pytest.fixture
def tree(tmp_path) -> Tree:
    made = Tree(tmp_path)
    made.scale()
    made.scale("real", **REAL)
    made.scale("ci", conclusive=False)
    made.study()
    return made


def judgement(tree: Tree) -> str:
    return digest_of_judgement(json.loads(tree.compiled().judgement))


def release(tree: Tree, scale: str, valid: bool = True, text: str | None = None, **p: float) -> None:
    """A line of the ledger whose only claim has these corrected P; the others are 1."""
    found = Found(text=STUDY["expect"][0], **({"holds": 1, "fails": 1, "reversed": 1, "absent": 1} | p))
    line = Line(
        scale=scale,
        study="mixup",
        judgement=text or judgement(tree),
        blocks={"0-4": "0" * 64},
        first=0,
        seeds=5,
        valid=valid,
        claims=[found],
    )
    write_ledger({(scale, "mixup"): line}, tree.root)


def at_real(tree: Tree) -> list:
    return [(each.scale, each.images, each.word, dict(each.claims)) for each in elsewhere(tree.compiled(), tree.root)]


CLAIM = STUDY["expect"][0]


@pytest.mark.parametrize(
    ("p", "paper", "claim"),
    [
        ({"holds": 0.001}, "supported", "holds"),
        ({"fails": 0.001, "reversed": 0.001}, "not supported", "fails"),
        ({}, "open", "open"),
    ],
)
def test_the_words_of_a_released_line_are_read_at_the_other_scale(tree, p, paper, claim):
    release(tree, "real", **p)
    assert at_real(tree) == [("real", "Fashion-MNIST", paper, {CLAIM: claim})]


def test_a_control_that_failed_there_is_said(tree):
    release(tree, "real", valid=False, holds=0.001)
    assert [each[2] for each in at_real(tree)] == ["invalid"]


def test_words_of_another_text_and_of_scales_that_conclude_nothing_are_none(tree):
    release(tree, "real", text="f" * 64, holds=0.001)
    release(tree, "ci", holds=0.001)
    release(tree, "laptop", holds=0.001)
    assert at_real(tree) == []


def test_what_the_other_scales_report_says_goes_before_the_ledger(tree):
    release(tree, "real", holds=0.001)
    record = {
        "word": "invalid",
        "count": "a control failed",
        "rests_on": {"judgement": judgement(tree)},
        "expectations": [{"text": CLAIM, "word": "open"}],
        "controls": [{"text": "erm.top1 > 0.3", "passed": False}, {"text": "erm.top1 < 1", "passed": True}],
    }
    path = tree.root / "results" / "real" / "verdicts.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"studies": {"mixup": record}}))
    (found,) = elsewhere(tree.compiled(), tree.root)
    assert (found.word, found.controls) == ("invalid", ("erm.top1 > 0.3",))


def test_trial_draws_of_another_scale_are_not_looked_at(tree):
    path = tree.root / "results" / "real-trial" / "verdicts.json"
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    assert at_real(tree) == []


def test_a_study_that_the_scale_leaves_out_was_not_found_there(tree):
    tree.study(base={"world": {"shapes": {"classes": 5}}, "model": "linear"})
    release(tree, "real", holds=0.001)
    assert at_real(tree) == []


def test_images_are_called_by_titles_and_by_the_data_sets_own_names(tree):
    tree.study(arms={"erm": {}, "mixup": {"world": "digits"}})
    assert images_of(tree.compiled(), tree.root) == "digits and shapes"
    real = load_studies("real", tree.root / "config")["mixup"]
    assert images_of(real, tree.root) == "Fashion-MNIST and kmnist"
