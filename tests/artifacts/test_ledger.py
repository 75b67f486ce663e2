"""The ledger of verdicts: lines stay as they are, what a study's line says, and the project's own in step with its manifest."""

import subprocess
from pathlib import Path

import pytest

from assay.artifacts.entries import read_entries
from assay.artifacts.ledger import (
    LEDGER,
    Found,
    Line,
    latest_tag,
    line_of,
    parse_ledger,
    read_ledger,
    released,
    stamp,
    write_ledger,
)
from assay.errors import ArtifactError

ROOT = Path(__file__).parents[2]
HOLDS = {"holds": 0.001, "fails": 1.0, "reversed": 1.0, "absent": 0.25}


def line(study: str, **changes) -> Line:
    fields = {"scale": "laptop", "judgement": "ab", "blocks": {"0-4": "cd"}, "first": 0, "seeds": 5, "valid": True}
    return Line(study=study, claims=[Found(text="b.m > a.m", **HOLDS)], **fields | changes)


def record(**changes) -> dict:
    claim = {"text": "b.m > a.m", "P": HOLDS}
    rests_on = {"judgement": "ab", "blocks": {"0-4": "cd"}}
    known = {
        "study": "s",
        "paper": "P166",
        "word": "open",
        "first": 0,
        "earlier": 0,
        "retired": 0,
        "seeds": 5,
        "expectations": [claim],
        "secondary": [],
    }
    return known | {"rests_on": rests_on} | changes


def git(root: Path, *arguments: str) -> None:
    subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b.c", *arguments], cwd=root, check=True, capture_output=True)


def test_what_is_written_is_read(tmp_path):
    lines = {each.key: each for each in (line("b"), line("a", secondary=[Found(text="x.m > 0", **HOLDS)], retired=3))}
    write_ledger(lines, tmp_path)
    assert read_ledger(tmp_path) == lines
    assert list(read_ledger(tmp_path)) == [("laptop", "a"), ("laptop", "b")]
    assert read_ledger(tmp_path / "nowhere") == {}


def test_every_other_line_stays_byte_for_byte(tmp_path):
    write_ledger({each.key: each for each in (line("a"), line("b"), line("c"))}, tmp_path)
    before = (tmp_path / LEDGER).read_text().splitlines()
    write_ledger({("laptop", "b"): line("b", seeds=10)}, tmp_path)
    after = (tmp_path / LEDGER).read_text().splitlines()
    assert [after[0], after[2]] == [before[0], before[2]]
    assert after[1] != before[1]
    write_ledger({("laptop", "a"): None}, tmp_path)
    assert (tmp_path / LEDGER).read_text().splitlines() == after[1:]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("no json", "verdicts.jsonl:1: no line of verdicts but 'no json'"),
        (line("a").as_text.replace('"seeds":5', '"seeds":0'), "verdicts.jsonl:1: key 'seeds': input should be greater"),
        (line("a").as_text.replace('"first":0', '"frist":0'), "verdicts.jsonl:1: key 'first': field required"),
        (
            line("a").as_text.replace('"holds":0.001', '"holds":1.5'),
            "verdicts.jsonl:1: key 'claims.0.holds': input should be less",
        ),
        (f"{line('a').as_text}\n{line('a', seeds=10).as_text}", "verdicts.jsonl:2: a second line for a at scale laptop"),
    ],
)
def test_a_line_that_cannot_be_read_is_one_line_with_its_place(text, said):
    with pytest.raises(ArtifactError) as error:
        parse_ledger(text)
    assert str(error.value).startswith(said)
    assert "\n" not in str(error.value)


def test_the_line_of_a_study_is_what_was_found_and_not_its_words():
    made = line_of(record(), "laptop")
    assert made == line("s")
    assert line_of(record(word="invalid"), "laptop").valid is False
    assert "word" not in made.as_text


def test_claims_of_earlier_texts_stay_counted():
    assert line_of(record(retired=3), "laptop").retired == 3


def test_the_last_release_is_the_ledger_of_the_latest_tag(tmp_path):
    assert (latest_tag(tmp_path), released(tmp_path)) == ("", ("", None))
    git(tmp_path, "init", "-q")
    write_ledger({("laptop", "a"): line("a")}, tmp_path)
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    assert released(tmp_path) == ("", None)
    alone = stamp(tmp_path)
    git(tmp_path, "tag", "v1")
    write_ledger({("laptop", "b"): line("b")}, tmp_path)
    assert released(tmp_path) == ("v1", {("laptop", "a"): line("a")})
    assert stamp(tmp_path) != alone
    git(tmp_path, "rm", "-q", "--cached", LEDGER)
    git(tmp_path, "commit", "-qm", "without")
    git(tmp_path, "tag", "v2")
    assert released(tmp_path) == ("v2", None)


def test_the_project_s_ledger_lists_what_its_manifest_lists():
    lines = read_ledger(ROOT)
    blocks: dict[tuple[str, str], list] = {}
    for entry in read_entries(ROOT).values():
        if entry.study and not entry.withdrawn:
            blocks.setdefault((entry.scale, entry.study), []).append(entry)
    assert lines.keys() == blocks.keys()
    for key, found in lines.items():
        archived = {(entry.block.name, entry.files["observations.csv"].sha256) for entry in blocks[key]}
        assert set(found.blocks.items()) <= archived, key
        assert found.judgement in {entry.judgement for entry in blocks[key]}
