"""A study without a paper is a family of its own: it moves no paper's word, and no paper moves its."""

import pytest

from assay.artifacts.ledger import Found, Line, line_of, parse_ledger
from assay.judging.release import Release
from assay.judging.verdicts import judge

NULL = [0.02, -0.01, 0.0, 0.01, -0.02]
CLEAR = [0.20, 0.21, 0.19, 0.2, 0.2]
FAINT = [0.03, 0.05, 0.02, 0.04, 0.03]  # holds alone at P = 0.002, and not among a hundred


def line(study: str, *holds: float, own: bool = False) -> Line:
    claims = [Found(text=f"c{n}", holds=p, fails=1, reversed=1, absent=1) for n, p in enumerate(holds)]
    return Line(
        scale="laptop", study=study, judgement="t", blocks={"0-4": "s"}, first=0, seeds=5, valid=True, own=own, claims=claims
    )


def study(name: str, paper: str, claims: int = 1) -> dict:
    return {"name": name, "paper": paper, "expect": [f"b.m{n} > a.m{n}" for n in range(claims)], "controls": [], "margin": {}}


def rows(effects: list[float], claims: int = 1) -> list[dict]:
    return [
        {"arm": arm, "seed": seed, "metric": f"m{n}", "x": None, "value": 0.5 + (effect if arm == "b" else 0) + 0.001 * seed}
        for n in range(claims)
        for seed, effect in enumerate(effects)
        for arm in ("a", "b")
    ]


def test_a_hundred_null_claims_of_ones_own_move_no_released_word():
    papers = {"weak": line("weak", 0.02), "good": line("good", 0.001, 0.002)}
    words = {name: Release(papers).word_and_count(name) for name in papers}
    among = papers | {"mine": line("mine", *[1.0] * 100, own=True)}
    assert {name: Release(among).word_and_count(name) for name in papers} == words
    counted = Release(papers | {"mine": line("mine", *[1.0] * 100)})
    assert {name: counted.word_and_count(name) for name in papers} != words  # as a paper it would have


def test_the_word_on_ones_own_question_is_that_of_it_alone():
    crowd = {f"p{n}": line(f"p{n}", 1.0) for n in range(200)}
    alone = Release({"mine": line("mine", 0.02, own=True)}).word_and_count("mine")
    assert alone == ("supported", "1 of 1 holds")
    assert Release(crowd | {"mine": line("mine", 0.02, own=True)}).word_and_count("mine") == alone
    assert Release(crowd | {"mine": line("mine", 0.02)}).word_and_count("mine")[0] == "open"


@pytest.mark.parametrize("released", [False, True])
def test_it_is_judged_by_itself_with_a_release_and_without(released):
    crowd = [study(f"p{n}", "P166") for n in range(100)]
    seen = {each["name"]: rows(NULL) for each in crowd} | {"mine": rows(FAINT), "theirs": rows(FAINT)}
    family = Release({f"p{n}": line(f"p{n}", 1.0) for n in range(100)}).family if released else None
    found = judge([*crowd, study("mine", "none"), study("theirs", "P166")], seen, family)["studies"]
    assert (found["mine"]["word"], found["theirs"]["word"]) == ("supported", "open")
    (claim,) = found["mine"]["expectations"]
    assert claim["q"]["holds"] == pytest.approx(claim["P"]["holds"])


def test_judging_it_changes_no_other_record():
    others = [study("one", "P166"), study("two", "P127")]
    seen = {"one": rows(CLEAR), "two": rows(FAINT), "mine": rows(NULL, claims=50)}
    before = judge(others, seen)["studies"]
    after = judge([*others, study("mine", "none", claims=50)], seen)["studies"]
    assert {name: after[name] for name in before} == before


def test_a_line_says_that_it_is_ones_own_and_papers_lines_stay_as_they_were():
    record = judge([study("mine", "none"), study("one", "P166")], {"mine": rows(CLEAR), "one": rows(CLEAR)})["studies"]
    told = {"rests_on": {"judgement": "t", "blocks": {"0-4": "s"}}}
    mine, one = (line_of(record[name] | told, "laptop") for name in ("mine", "one"))
    assert (mine.own, one.own) == (True, False)
    assert "own" not in one.as_text
    assert parse_ledger(mine.as_text)["laptop", "mine"].own
