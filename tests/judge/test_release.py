"""What is released, how a study stands to it, and which words changed since the last release, and why."""

import pytest

from assay.artifacts.ledger import Found, Line
from assay.judging.release import Release, changes, member_of


def found(text: str, holds: float = 1.0, fails: float = 1.0, reversed_: float = 1.0) -> Found:
    return Found(text=text, holds=holds, fails=fails, reversed=reversed_, absent=1.0)


def line(study: str, *claims: Found, **more) -> Line:
    known = {"scale": "laptop", "judgement": "text", "blocks": {"0-4": "rows"}, "first": 0, "seeds": 5, "valid": True}
    return Line(study=study, claims=list(claims), **known | more)


def record(study: str, word: str, claims: dict[str, tuple], judgement: str = "text", rows: str = "rows", first: int = 0) -> dict:
    rests_on = {"judgement": judgement, "blocks": {"0-4": rows}}
    expectations = [{"text": text, "word": said, "reason": reason} for text, (said, reason) in claims.items()]
    return {"study": study, "word": word, "expectations": expectations, "rests_on": rests_on, "first": first}


HELD, OPEN, REVERSED = ("holds", None), ("open", None), ("fails", "reversed")


@pytest.fixture
def release() -> Release:
    lines = {
        "good": line("good", found("a", holds=0.001), found("b", holds=0.001)),
        "bad": line("bad", found("a", holds=0.001), found("b", fails=0.001, reversed_=0.001)),
        "weak": line("weak", found("a", holds=0.2)),
        "broken": line("broken", found("a", holds=0.0), valid=False),
    }
    return Release(lines, "v1")


def test_words_follow_from_all_lines(release):
    assert {study: release.word_and_count(study) for study in release.lines} == {
        "good": ("supported", "2 of 2 hold"),
        "bad": ("partly", "1 of 2 hold, 1 reversed"),
        "weak": ("open", "0 of 1 holds, 1 open"),
        "broken": ("invalid", "a control failed"),
    }
    alone = Release({"s": line("s", found("a", holds=0.02), retired=0)})
    among = Release({"s": line("s", found("a", holds=0.02), retired=2)})
    assert (alone.word_and_count("s")[0], among.word_and_count("s")[0]) == ("supported", "open")


def test_a_line_is_a_member_with_its_p_values():
    member = member_of(line("s", found("a", holds=0.01, fails=0.9), found("b"), secondary=[found("c", holds=0.3)], retired=4))
    assert member.claims.tolist() == [[0.01, 1.0], [0.9, 1.0], [1.0, 1.0], [1.0, 1.0]]
    assert member.secondary.tolist() == [[0.3], [1.0], [1.0], [1.0]]
    assert (member.valid, member.retired) == (True, 4)
    assert member_of(line("s", found("a"))).secondary.shape == (4, 0)


def test_how_a_verdict_stands_to_the_release(release):
    told = release.told(record("bad", "open", {}, rows="others"))
    assert told == {
        "word": "partly",
        "count": "1 of 2 hold, 1 reversed",
        "seeds": 5,
        "same_evidence": False,
        "same_text": True,
    }
    assert release.told(record("new", "open", {})) is None


def all_as_released() -> dict[str, dict]:
    return {
        "good": record("good", "supported", {"a": HELD, "b": HELD}),
        "bad": record("bad", "partly", {"a": HELD, "b": REVERSED}),
        "weak": record("weak", "open", {"a": OPEN}),
        "broken": record("broken", "invalid", {"a": OPEN}),
    }


def test_nothing_changed_is_no_change(release):
    assert changes(release, all_as_released()) == []


@pytest.mark.parametrize(
    ("now", "cause"),
    [
        ({"rows": "others"}, "new evidence"),
        ({"judgement": "other", "rows": "others"}, "changed text"),
        ({"first": 10, "rows": "others"}, "changed text"),
        ({}, "other family members"),
    ],
)
def test_a_changed_word_has_its_cause(release, now, cause):
    records = all_as_released() | {"good": record("good", "partly", {"a": HELD, "b": REVERSED}, **now)}
    assert changes(release, records) == [
        {"study": "good", "claim": "", "before": "supported", "after": "partly", "cause": cause},
        {"study": "good", "claim": "b", "before": "holds", "after": "fails: reversed", "cause": cause},
    ]


def test_studies_that_came_and_went(release):
    records = all_as_released() | {"new": record("new", "open", {"a": OPEN})}
    del records["weak"]
    assert changes(release, records) == [
        {"study": "new", "claim": "", "before": "", "after": "open", "cause": "not in the last release"},
        {"study": "weak", "claim": "", "before": "open", "after": "", "cause": "no longer judged"},
    ]
