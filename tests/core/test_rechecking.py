"""Archived studies that are computed again: which ones, once for a platform and code, and what the report says of it."""

import json
from dataclasses import replace

import pytest
from project_tree import ELSEWHERE, HERE, Tree, write_block

from assay.errors import EvidenceError
from assay.evidence.agreement import explained
from assay.language.blocks import Block
from assay.language.studies import load_studies
from assay.pipeline.deciding import decide
from assay.pipeline.rechecking import (
    CHOSEN,
    RESULT,
    Recheck,
    choose,
    compare_with_archive,
    keep_choice,
    read_rechecks,
    recheck_now,
    summary,
)

NAMES = [f"study{number}" for number in range(8)]
FIRST = Block(0, 4)


@pytest.fixture
def tree(tmp_path):
    made = Tree(tmp_path)
    made.scale()
    for name in NAMES:
        made.study(name)
        made.archive(name)  # costs 2 core seconds for each of two networks, and half a second of measuring
    return made


def found(tree, asked, commit="a", platform=HERE):
    studies = load_studies("laptop", tree.root / "config")
    sources = decide(studies, list(studies), "auto", tree.results, platform, tree.root)
    return choose(asked, sources, studies, platform, commit, tree.root), sources, studies


def test_as_many_studies_as_fit_into_the_budget(tree):
    cost = 4.5 / 60
    assert found(tree, 0.99 * cost)[0] == ()
    assert len(found(tree, 3.5 * cost)[0]) == 3
    assert len(found(tree, 100.0)[0]) == len(NAMES)
    assert {block for _, block in found(tree, 100.0)[0]} == {FIRST}


def test_which_ones_rotates_with_the_commit(tree):
    chosen = {found(tree, 0.2, commit)[0] for commit in ("a", "b", "c", "d")}
    assert len(chosen) > 1
    assert found(tree, 0.2, "a")[0] == found(tree, 0.2, "a")[0]


def test_what_was_chosen_for_a_platform_and_code_stays_chosen(tree):
    chosen, sources, studies = found(tree, 0.2, "a")
    keep_choice(0.2, replace(sources, rechecked=chosen), studies, HERE)
    later = [commit for commit in "bcdefgh" if found(tree, 0.2, commit)[0] != chosen]
    assert later == []
    assert any(found(tree, 0.2, commit, ELSEWHERE)[0] != chosen for commit in "bcdefgh")
    assert len(found(tree, 0.3, "b")[0]) > len(chosen)  # another budget is another choice


def test_other_code_is_another_choice(tree):
    chosen, sources, studies = found(tree, 0.2, "a")
    keep_choice(0.2, replace(sources, rechecked=chosen), studies, HERE)
    kept = json.loads((tree.results / CHOSEN).read_text())
    (tree.results / CHOSEN).write_text(json.dumps(kept | {"code": "0" * 16}))
    assert any(found(tree, 0.2, commit)[0] != chosen for commit in "bcdefgh")


def test_a_damaged_note_of_what_was_chosen_is_no_note(tree):
    tree.results.mkdir(parents=True, exist_ok=True)
    (tree.results / CHOSEN).write_text('{"format": 1, ')
    assert len(found(tree, 0.2)[0]) == 2


def test_studies_by_name(tree):
    assert found(tree, ["study3"])[0] == (("study3", FIRST),)
    tree.study("mine")
    with pytest.raises(EvidenceError, match="mine: nothing of it is archived that could be computed again"):
        found(tree, ["mine"])


def test_what_is_computed_here_is_not_rechecked(tree):
    tree.study("mine")
    assert "mine" not in dict(found(tree, 100.0)[0])


def recheck(tree, name="study0", erm=0.6, **changes):
    """Compute a study again, as the job would, and compare."""
    chosen, sources, studies = found(tree, [name])
    replace(sources, rechecked=chosen).write()
    folder = tree.results / "recheck" / name / FIRST.name
    write_block(folder, studies[name], FIRST, erm, **changes)
    return compare_with_archive(studies[name], FIRST, folder, tree.root)


def test_the_same_numbers_on_the_same_platform_are_identical(tree):
    result = recheck(tree, platform=ELSEWHERE)
    assert (result.word, result.same_platform, result.shift) == ("identical", True, None)
    assert summary([result]) == ["same platform: 1 of 1 identical"]
    assert result.told == "identical on the same platform"


def test_on_another_platform_it_says_what_shift_would_have_been_seen(tree):
    result = recheck(tree, erm=0.6005)
    assert (result.word, result.same_platform, result.means) == ("within seed noise", False, 2)
    mixup = [0.7 + 0.002 * (seed - 2) for seed in range(5)]  # the arm that varies most
    assert result.shift == pytest.approx(explained(mixup, [v + 0.0005 for v in mixup], 2))
    (line,) = summary([result])
    assert result.told == f"within seed noise on another platform; a shift of {result.shift:.2g} would have been seen"
    assert line == f"another platform: 1 of 1 within seed noise; a shift of {result.shift:.2g} would have been seen"


def test_a_shift_larger_than_that_is_named(tree):
    seen = recheck(tree, erm=0.6005).shift
    moved = recheck(tree, erm=0.6 + 1.1 * seen)
    assert moved.word == "drifted"
    assert summary([moved])[0].endswith("; study0 drifted")
    assert summary([moved])[0].startswith("another platform: 0 of 1")


def test_another_word_on_the_same_platform_is_named(tree):
    moved = recheck(tree, erm=0.60001, platform=ELSEWHERE)
    assert summary([moved]) == ["same platform: 0 of 1 identical; study0 within seed noise"]


def test_it_never_changes_a_word(tree):
    recheck(tree, erm=0.1)
    _, sources, _ = found(tree, ["study0"])
    assert sources.from_archive("study0")
    assert {row.value for row in sources.evidence("study0", tree.root).observations} > {0.6, 0.7}


def test_the_report_reads_what_this_run_computed_again(tree):
    result = recheck(tree, platform=ELSEWHERE)
    chosen, sources, _ = found(tree, ["study0"])
    assert read_rechecks(sources) == []
    assert read_rechecks(replace(sources, rechecked=chosen)) == [result]
    path = tree.results / "recheck" / "study0" / FIRST.name / RESULT
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 9}))
    with pytest.raises(EvidenceError, match=r"key 'format': 9 \(allowed: 1\)"):
        read_rechecks(replace(sources, rechecked=chosen))


def test_both_kinds_of_platform_have_a_line_each():
    one = Recheck("a", "0-4", "identical", True, "x", "x", None, 0, 0)
    other = replace(one, study="b", same_platform=False, word="within seed noise", shift=0.25)
    assert summary([other, one]) == [
        "same platform: 1 of 1 identical",
        "another platform: 1 of 1 within seed noise; a shift of 0.25 would have been seen",
    ]
    assert summary([]) == []


def test_a_study_without_archived_evidence_cannot_be_computed_again(tree):
    tree.study("mine")
    with pytest.raises(EvidenceError, match="mine: nothing of it is archived at scale 'laptop'"):
        recheck_now("mine", "laptop", tree.root)
