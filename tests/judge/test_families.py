"""Corrections over claims and papers against the papers that give them, scipy, and the definition written out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from assay.judging.families import Family, Member, cut, gate, paper_word, q_values, weakest

# Controlling the False Discovery Rate (1995), section 3.2: 15 p-values, four rejected at q = 0.05
PUBLISHED = np.array([0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528,
                      0.7590, 1.000])  # fmt: skip
P = st.sampled_from([0.0, 1e-6, 0.001, 0.004, 0.01, 0.02, 0.04, 0.0500001, 0.2, 1.0])


def member(holds, fails=None, reversed_=None, absent=None, **more) -> Member:
    """A paper by its claims' P; what is not given is 1."""
    ones = [1.0] * len(holds)
    return Member(np.array([holds, fails or ones, reversed_ or ones, absent or ones]), np.empty((4, 0)), **more)


def failing(p, reversed_=1.0, absent=1.0) -> Member:
    return member([1.0], [p], [reversed_], [absent])


def words(family: Family, name: str) -> list[str]:
    return [claim.word for claim in family.conclusion(name).claims]


# Benjamini and Hochberg


def test_the_paper_s_example():
    assert (q_values(PUBLISHED) <= 0.05).tolist() == [True] * 4 + [False] * 11
    assert q_values(np.array([0.02, 0.01, 0.5, 0.03])) == pytest.approx([0.04, 0.04, 0.5, 0.04])
    assert cut(PUBLISHED) == pytest.approx(0.05 * 4 / 15)
    assert cut(np.array([0.5])) == cut(np.array([])) == 0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_q_values_agree_with_scipy(p):
    assert q_values(np.array(p)) == pytest.approx(stats.false_discovery_control(p), abs=1e-12)


def test_each_word_is_a_family_of_its_own():
    # `fails` alone among 20 claims that hold would be rejected at 0.05 in one family; in its own it needs 0.05 / 21.
    held = {f"s{n}": member([1e-6]) for n in range(20)}
    assert words(Family(held | {"bad": failing(0.01)}), "bad") == ["open"]
    assert words(Family(held | {"bad": failing(0.05 / 21)}), "bad") == ["fails"]


def test_a_claim_of_both_words_is_open():
    assert words(Family({"s": member([0.001], [0.001])}), "s") == ["open"]


def test_the_reason_is_said_at_the_level_of_the_cut_and_not_at_alpha():
    others = {f"s{n}": member([1e-6]) for n in range(9)}  # ten claims, one fails: the cut is 0.005
    reasons = [Family(others | {"s": failing(0.001, reversed_=p)}).conclusion("s").claims[0].reason for p in (0.005, 0.0051)]
    assert reasons == ["reversed", "smaller"]
    reasons = [Family(others | {"s": failing(0.001, absent=p)}).conclusion("s").claims[0].reason for p in (0.005, 0.0051)]
    assert reasons == ["absent", "smaller"]


def test_invalid_and_retired_claims_stay_in_the_family():
    weak = member([0.02])
    assert words(Family({"s": weak}), "s") == ["holds"]
    assert words(Family({"s": weak, "bad": member([0.0, 0.0], valid=False)}), "s") == ["open"]  # 3 claims: 0.05 / 3 < 0.02
    assert words(Family({"s": member([0.02], retired=2)}), "s") == ["open"]
    assert words(Family({"s": member([0.02], retired=1)}), "s") == ["holds"]


def test_secondary_claims_are_corrected_among_themselves():
    def paper(beside):
        return Member(np.array([[0.04], [1], [1], [1]]), np.array([beside, [1.0] * 3, [1.0] * 3, [1.0] * 3]))

    for beside, expected in (([0.001, 0.9, 0.9], ["holds", "open", "open"]), ([0.04, 0.9, 0.9], ["open"] * 3)):
        conclusion = Family({"s": paper(beside)}).conclusion("s")
        assert conclusion.word == "supported"
        assert [claim.word for claim in conclusion.secondary] == expected


# The gate


def by_definition(a, b):
    """The largest c among the a, at most 5%, with c #{b <= c} <= 5% #{a <= c}."""
    return max((c for c in a if c <= 0.05 and c * sum(x <= c for x in b) <= 0.05 * sum(x <= c for x in a)), default=0.0)


@given(st.lists(st.tuples(P, P), min_size=1, max_size=12))
def test_the_gate_is_what_its_definition_says(pairs):
    a, b = np.array([sorted(pair, reverse=True) for pair in pairs]).T
    assert gate(a, b) == by_definition(a, b)


def test_the_gate_by_hand():
    assert gate(np.array([0.05]), np.array([0.0])) == 0.05  # one paper of one claim: 0.05 * 1 <= 0.05 * 1
    assert gate(np.array([0.04, 1.0]), np.array([0.001, 0.001])) == 0  # two papers but for one claim: 0.04 * 2 > 0.05
    assert gate(np.array([0.02, 1.0]), np.array([0.001, 0.001])) == 0.02
    assert gate(np.array([0.04, 1.0]), np.array([0.001, 0.5])) == 0.04  # the other claims of the second do not hold: not counted
    assert gate(np.array([]), np.array([])) == 0


def test_the_weakest_claims_of_a_paper():
    assert weakest(np.array([0.3, 0.1, 0.2])) == (0.3, 0.2)
    assert weakest(np.array([0.3])) == (0.3, 0.0)


def test_a_paper_whose_weakest_claim_does_not_pass_the_gate_is_open():
    # 60 papers that all but hold: the gate asks the weakest claim of the last one for 0.05 / 61
    others = {f"s{n}": member([1e-6, 1e-6, 1e-6, 0.9]) for n in range(60)}
    family = Family(others | {"s": member([1e-6, 0.02])})
    assert words(family, "s") == ["holds", "holds"]
    conclusion = family.conclusion("s")
    assert (conclusion.word, conclusion.passed, conclusion.gate[:2]) == ("open", False, (0.02, 1e-6))
    assert Family(others | {"s": member([1e-6, 1e-6])}).conclusion("s").word == "supported"


@pytest.mark.parametrize(
    ("valid", "claims", "passed", "word"),
    [
        (False, ["holds"], True, "invalid"),
        (True, ["holds", "holds"], True, "supported"),
        (True, ["holds", "holds"], False, "open"),
        (True, ["holds", "fails"], False, "partly"),
        (True, ["holds", "fails", "open"], False, "partly"),
        (True, ["fails", "open"], False, "not supported"),
        (True, ["fails"], False, "not supported"),
        (True, ["holds", "open"], True, "open"),
        (True, ["open"], False, "open"),
    ],
)
def test_paper_word(valid, claims, passed, word):
    assert paper_word(claims, valid=valid, passed=passed) == word


# Adding papers

ONE_SIDED = st.tuples(P, st.booleans()).map(lambda each: (each[0], 1.0) if each[1] else (1.0, each[0]))
PAPER = st.lists(ONE_SIDED, min_size=1, max_size=4).map(lambda pairs: member([h for h, _ in pairs], [f for _, f in pairs]))
PAPERS = st.lists(PAPER, min_size=1, max_size=6).map(lambda papers: {f"s{n}": paper for n, paper in enumerate(papers)})


def all_words(family: Family) -> dict[str, tuple[str, list[str]]]:
    return {name: (family.conclusion(name).word, words(family, name)) for name in family.members}


def no_word_appeared(before, after) -> bool:
    return all(
        (word in (before[name][0], "open") or {"holds", "fails"} <= {*before[name][1]})
        and all(new in (old, "open") for old, new in zip(before[name][1], claims, strict=True))
        for name, (word, claims) in after.items()
    )  # what was `partly` may lose the claims of one of its words


@given(PAPERS, PAPER)
def test_adding_an_invalid_paper_never_makes_a_word_appear(papers, added):
    after = all_words(Family(papers | {"bad": Member(added.claims, added.secondary, valid=False)}))
    assert after.pop("bad")[0] == "invalid"
    assert no_word_appeared(all_words(Family(papers)), after)


@given(PAPERS, st.integers(1, 3))
def test_adding_a_retired_text_never_makes_a_word_appear(papers, retired):
    first = papers["s0"]
    after = all_words(Family(papers | {"s0": Member(first.claims, first.secondary, retired=retired)}))
    assert no_word_appeared(all_words(Family(papers)), after)


@given(PAPERS, st.integers(1, 4))
def test_adding_a_paper_that_holds_for_certain_removes_no_support(papers, claims):
    papers = {name: member(paper.claims[0].tolist()) for name, paper in papers.items()}  # none fails, which may go
    before, after = all_words(Family(papers)), all_words(Family(papers | {"sure": member([0.0] * claims)}))
    assert after["sure"][0] == "supported"
    for name, (word, said) in before.items():
        assert word != "supported" or after[name][0] == "supported"
        assert all(new == "holds" for old, new in zip(said, after[name][1], strict=True) if old == "holds")


def test_adding_a_paper_that_holds_may_remove_a_failure():
    assert words(Family({"s": failing(0.04)}), "s") == ["fails"]
    assert words(Family({"s": failing(0.04), "sure": member([0.0])}), "s") == ["open"]


def test_joining_changes_no_other_paper():
    family = Family({"s": member([0.02]), "t": member([0.01])})
    joined = family.joined_by("new", member([1.0] * 9))
    assert words(family, "s") == ["holds"]
    assert words(joined, "s") == ["open"]
    assert family.joined_by("s", member([1.0])).members.keys() == {"s", "t"}
