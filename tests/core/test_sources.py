"""Where evidence comes from: what counts, what is computed, what is shown of the rest, and the plan that jobs read it from."""

import shutil

import pytest
from project_tree import ELSEWHERE, HERE
from sources_cases import ARCHIVED, COMPUTED, CORE, FIRST, LOCAL, SECOND, THIRD, archived, code, decided, keys, measured, where

from assay.artifacts.entries import read_entries, write_entries
from assay.errors import EvidenceError
from assay.evidence import freshness as fresh
from assay.language.studies import load_studies
from assay.pipeline.deciding import decide

PLUG = {"assay.augment.mixup": "another"}


# What counts


@pytest.fixture
def tree(unmeasured):
    return unmeasured


def test_what_is_nowhere_is_computed_where_it_is_chosen_and_lacks_otherwise(tree):
    assert where(decided(tree)) == COMPUTED
    assert where(decided(tree, chosen=())) == []
    assert decided(tree).computed == [("mixup", FIRST), ("mixup", SECOND)]
    assert decided(tree, chosen=()).shown == []


def test_fresh_evidence_from_here_comes_before_computing(tree):
    measured(tree)
    assert where(decided(tree)) == LOCAL
    assert where(decided(tree, chosen=())) == LOCAL
    assert decided(tree).computed == []


def test_fresh_archived_evidence_comes_before_that_from_here(tree):
    measured(tree)
    entries = archived(tree)
    found = decided(tree)
    assert where(found) == ARCHIVED
    assert keys(found) == [entry.key for entry in entries]
    assert found.local == found.computed == []
    assert found.checksums("mixup") == {entry.block.name: entry.files["observations.csv"].sha256 for entry in entries}


def test_a_block_that_is_there_is_not_computed_again(tree):
    measured(tree, "5-9")
    found = decided(tree)
    assert where(found) == [("0-4", "computed", "fresh"), ("5-9", "here", "fresh")]
    assert found.local == [("mixup", FIRST), ("mixup", SECOND)]


def test_archived_blocks_that_nobody_asked_for_do_not_count(tree):
    archived(tree, "0-4", "5-9", "10-14")
    assert [name for name, _, _ in where(decided(tree))] == ["0-4", "5-9"]


def test_withdrawn_evidence_counts_no_more(tree):
    for entry in archived(tree):
        write_entries({entry.key: entry.model_copy(update={"withdrawn": "the labels were wrong"})}, tree.root)
    assert where(decided(tree)) == COMPUTED


def test_the_archive_of_another_scale_or_study_is_no_evidence(tree):
    tree.scale("big", first_look=10)
    tree.study("other")
    archived(tree)
    assert where(decided(tree), "other") == []
    studies = load_studies("big", tree.root / "config")
    assert where(decide(studies, ["mixup"], "auto", tree.root / "results/big", HERE, tree.root)) == COMPUTED


# Stale and unproven


def test_stale_archived_evidence_is_computed_if_chosen_and_lacks_with_the_reason_if_not(tree):
    archived(tree)
    tree.study(base={"world": "shapes", "model": "mlp"})
    assert where(decided(tree)) == COMPUTED
    found = decided(tree, chosen=())
    assert where(found) == []
    assert found.lacking == {"mixup": ("its evidence is stale: what the study measures changed",)}
    with pytest.raises(EvidenceError, match=r"^mixup: its evidence is stale: what the study measures changed$"):
        found.evidence("mixup", tree.root)


def test_stale_evidence_from_here_is_computed_if_chosen_and_lacks_with_the_reason_if_not(tree):
    measured(tree)
    tree.study(base={"world": "shapes", "model": "mlp"})
    assert where(decided(tree)) == COMPUTED
    assert decided(tree, chosen=()).lacking == {"mixup": ("its evidence is stale: what the study measures changed",)}


def test_unproven_archived_evidence_counts_with_its_reasons(tree):
    archived(tree, "0-4")
    archived(tree, "5-9", code=code(tree, CORE))
    found = decided(tree)
    assert where(found) == [("0-4", "archive", "fresh"), ("5-9", "archive", "unproven")]
    state = found.freshness("mixup")
    assert (state.word, state.reasons) == ("unproven", ("training/run.py changed",))


def test_what_only_the_core_made_unproven_is_kept(tree):
    measured(tree, code=code(tree, CORE))
    assert where(decided(tree)) == [("0-4", "here", "unproven"), ("5-9", "here", "unproven")]


def test_what_a_method_made_unproven_is_computed_again(tree):
    """Who edits a method wants it run."""
    measured(tree, "0-4", code=code(tree, CORE | PLUG))
    measured(tree, "5-9", code=code(tree, CORE))
    assert where(decided(tree)) == [("0-4", "computed", "fresh"), ("5-9", "here", "unproven")]


def test_a_method_that_is_new_or_went_was_changed(tree):
    for differing in (
        code(tree, {"assay.metrics.gone": "old"}),
        {name: value for name, value in code(tree, {}).items() if name != "assay.augment.mixup"},
    ):
        measured(tree, code=differing)
        assert where(decided(tree)) == COMPUTED


def test_what_canaries_showed_to_compute_otherwise_is_stale(tree, monkeypatch):
    measured(tree, code=code(tree, CORE))
    archived(tree, code=code(tree, CORE))
    shown = ["canary mixup came out otherwise (augment/mixup)"]
    monkeypatch.setattr(type(fresh.proofs.committed()), "refutation", lambda self, old, new: shown if old != new else [])
    assert where(decided(tree)) == COMPUTED
    assert decided(tree, chosen=()).lacking == {"mixup": (f"its evidence is stale: {shown[0]}",)}


# Platforms


def test_of_several_platforms_the_one_archived_first_counts(tree):
    archived(tree, day=3, platform=THIRD)
    first = archived(tree, day=2)
    archived(tree, day=4, platform=HERE)
    assert keys(decided(tree)) == [entry.key for entry in first]


def test_what_is_fresh_comes_before_what_is_unproven_wherever_it_lies(tree):
    old = code(tree, {"assay.training.run": "old"})
    archived(tree, "0-4", "5-9", code=old)
    assert where(decided(tree)) == [("0-4", "archive", "unproven"), ("5-9", "archive", "unproven")]
    measured(tree, "0-4", "5-9")
    assert where(decided(tree)) == [("0-4", "here", "fresh"), ("5-9", "here", "fresh")]
    archived(tree, "0-4", "5-9", day=2, platform=ELSEWHERE | {"vendor": "a third"})
    assert where(decided(tree)) == [("0-4", "archive", "fresh"), ("5-9", "archive", "fresh")]


def test_a_platform_whose_evidence_is_stale_gives_way_to_the_next(tree):
    archived(tree, day=1, study_sha256="0" * 64)
    later = archived(tree, day=2, platform=THIRD)
    assert keys(decided(tree)) == [entry.key for entry in later]


def test_a_platform_that_has_all_blocks_comes_before_one_that_was_first_and_has_not(tree):
    archived(tree, "0-4", day=1)
    whole = archived(tree, day=2, platform=THIRD)
    assert keys(decided(tree)) == [entry.key for entry in whole]


def test_blocks_of_two_platforms_do_not_make_a_whole(tree):
    archived(tree, "0-4", day=1)
    archived(tree, "5-9", day=2, platform=THIRD)
    assert where(decided(tree)) == COMPUTED
    shown = decided(tree, chosen=())
    assert where(shown) == [("0-4", "archive", "fresh")]
    assert len(shown.evidence("mixup", tree.root).observations) == 2 * 5


def test_an_archived_block_of_this_platform_is_continued_and_not_computed_again(tree):
    archived(tree, "0-4", platform=HERE)
    assert where(decided(tree)) == [("0-4", "archive", "fresh"), ("5-9", "computed", "fresh")]
    assert where(decided(tree, chosen=())) == [("0-4", "archive", "fresh")]
    measured(tree, "5-9")
    found = decided(tree)
    assert where(found) == [("0-4", "archive", "fresh"), ("5-9", "here", "fresh")]
    assert not found.from_archive("mixup")
    assert found.evidence("mixup", tree.root).provenance["seeds"] == list(range(10))


def test_an_archived_block_of_another_platform_is_not_continued(tree):
    archived(tree, "0-4", platform=ELSEWHERE)
    assert where(decided(tree)) == COMPUTED


def test_what_is_computed_joins_blocks_of_this_platform_alone(tree):
    measured(tree, "0-4", platform=ELSEWHERE)
    assert where(decided(tree, platform=HERE)) == COMPUTED
    assert where(decided(tree, platform=ELSEWHERE)) == [("0-4", "here", "fresh"), ("5-9", "computed", "fresh")]


def test_results_of_another_platform_that_are_whole_count(tree):
    measured(tree, platform=ELSEWHERE)
    assert where(decided(tree, platform=HERE)) == LOCAL


def test_blocks_of_two_platforms_are_never_joined(tree):
    measured(tree, "0-4")
    measured(tree, "5-9", platform=ELSEWHERE)
    assert where(decided(tree, chosen=())) == [("0-4", "here", "fresh")]
    with pytest.raises(EvidenceError) as caught:
        tree.sources.evidence("mixup")
    assert str(caught.value) == (
        "mixup: blocks 0-4 and 5-9 are of two platforms (This Processor, torch 2.13.0; Another Processor, torch 2.13.0);"
        " they are never mixed"
    )


def test_a_block_behind_a_gap_is_not_shown(tree):
    tree.scale(first_look=15)
    archived(tree, "0-4", "10-14")
    assert where(decided(tree, chosen=())) == [("0-4", "archive", "fresh")]
    shutil.rmtree(tree.root / "archive")
    write_entries(dict.fromkeys(read_entries(tree.root)), tree.root)
    measured(tree, "5-9", "10-14")
    assert where(decided(tree, chosen=())) == []
