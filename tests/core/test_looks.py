"""How many seeds a study is judged on: looks, the file of seeds, texts that were changed after looking, and what is refused."""

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from project_tree import Tree

from assay.errors import StudyError
from assay.language.blocks import Block
from assay.language.draws import drawing
from assay.language.looks import looks_at, next_look, scheduled
from assay.language.seeds import load_seeds, write_seeds
from assay.language.studies import load_studies


@pytest.fixture
def tree(tmp_path):
    tree = Tree(tmp_path)
    tree.scale()
    tree.study()
    return tree


def seeds_of(tree, text: str) -> None:
    tree._write("config/seeds/laptop.yaml", text)


def in_one_line(call, *arguments) -> str:
    with pytest.raises(StudyError) as caught:
        call(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# Looks


@pytest.mark.parametrize(
    ("first", "seeds", "looks", "after"),
    [
        (5, 0, (), 5),
        (5, 4, (), 5),
        (5, 5, (5,), 10),
        (5, 9, (5,), 10),
        (5, 10, (5, 10), 20),
        (5, 39, (5, 10, 20), 40),
        (5, 40, (5, 10, 20, 40), 80),
        (10, 5, (), 10),
        (1, 4, (1, 2, 4), 8),
        (3, 100, (3, 6, 12, 24, 48, 96), 192),
    ],
)
def test_looks_double(first, seeds, looks, after):
    assert scheduled(first, seeds) == looks
    assert looks_at(first, seeds) == len(looks)
    assert next_look(first, seeds) == after


@given(st.integers(1, 50), st.integers(0, 5000))
def test_the_next_look_is_the_first_one_above(first, seeds):
    assert scheduled(first, next_look(first, seeds)) == (*scheduled(first, seeds), next_look(first, seeds))


# Seeds


def test_a_study_has_the_seeds_of_its_line_and_the_others_those_of_the_first_look(tree):
    tree.study("other")
    assert tree.compiled().blocks == (Block(0, 4),)
    seeds_of(tree, "mixup: 20\n")
    assert tree.compiled().blocks == (Block(0, 4), Block(5, 9), Block(10, 14), Block(15, 19))
    assert tree.compiled("other").blocks == (Block(0, 4),)
    assert json.loads(tree.compiled().judgement) | {"name": "other"} == json.loads(tree.compiled("other").judgement)


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "{}\n"])
def test_a_file_without_lines_leaves_all_at_the_first_look(tree, text):
    seeds_of(tree, text)
    assert tree.compiled().seeds == 5


BAD = {
    "mixup: 7": "mixup: 7 is no look (allowed: 5, 10, 20, ...); the next one is 10",
    "mixup: 15": "mixup: 15 is no look (allowed: 5, 10, 20, ...); the next one is 20",
    "mixup: 3": "mixup: 3 is no look (allowed: 5, 10, 20, ...); the next one is 5",
    "mixup: 0": "mixup: 0 is no number of seeds (allowed: 5, 10, 20, ...)",
    "mixup: -10": "mixup: -10 is no number of seeds (allowed: 5, 10, 20, ...)",
    "mixup: 10.0": "mixup: 10.0 is no number of seeds (allowed: 5, 10, 20, ...)",
    "mixup: true": "mixup: True is no number of seeds (allowed: 5, 10, 20, ...)",
    "mixup: '10'": "mixup: '10' is no number of seeds (allowed: 5, 10, 20, ...)",
    "mixup: [10]": "mixup: [10] is no number of seeds (allowed: 5, 10, 20, ...)",
    "mixup:": "mixup: None is no number of seeds (allowed: 5, 10, 20, ...)",
    "mixpu: 10": "unknown study 'mixpu'; did you mean 'mixup'? (allowed: mixup)",
    "- mixup": "expected lines such as 'mixup: 10', got \"['mixup']\"",
    "mixup: 10\nmixup: 20": "key 'mixup' is written twice",
}


@pytest.mark.parametrize("text", BAD)
def test_what_is_no_look_is_said_in_one_line(tree, text):
    seeds_of(tree, text + "\n")
    said = in_one_line(tree.compiled)
    assert "config/seeds/laptop.yaml" in said
    assert said.endswith(BAD[text])


def test_seeds_are_written_as_they_are_read_without_those_of_the_first_look(tree):
    config = tree.root / "config"
    write_seeds("laptop", {"zebra": 10, "mixup": 40, "aum": 5}, 5, config)
    assert load_seeds("laptop", 5, ["mixup", "zebra"], config) == {"mixup": 40, "zebra": 10}
    assert [line for line in (config / "seeds/laptop.yaml").read_text().splitlines() if line[0] != "#"] == [
        "mixup: 40",
        "zebra: 10",
    ]


def test_trials_have_the_seeds_of_a_first_look_from_the_first_one_on(tree):
    seeds_of(tree, "mixup: 20\n")
    tree.study(revised=[{"seen": 10, "why": "the sign was wrong"}])
    assert tree.compiled().blocks[0] == Block(10, 14)
    with drawing("trial"):
        assert tree.compiled().blocks == (Block(0, 4),)
    assert tree.compiled().tried.blocks == (Block(0, 4),)


# Texts that were changed after looking


def revised(tree, *entries, scale="laptop"):
    tree.study(revised=[{"why": "it was wrong"} | entry for entry in entries])
    study = load_studies(scale, tree.root / "config")["mixup"]
    return study.first, study.earlier


@pytest.mark.parametrize(
    ("entries", "first", "earlier"),
    [
        ([], 0, 0),
        ([{"seen": 5}], 5, 1),
        ([{"seen": 10}], 10, 2),
        ([{"seen": 20}], 20, 3),
        ([{"seen": 35}], 35, 3),
        # Each text had five seeds of its own, and so one look: 5, 10, 15 and not the two looks at or below 15.
        ([{"seen": 5}, {"seen": 10}, {"seen": 15}], 15, 3),
        ([{"seen": 10}, {"seen": 15}, {"seen": 35}], 35, 2 + 1 + 3),
        # Seeds of another root name are other draws: paid for, and in nobody's way.
        ([{"seen": 5, "root": "old"}], 0, 1),
        ([{"seen": 5, "root": "old"}, {"seen": 5}], 5, 2),
        ([{"seen": 5, "root": "old"}, {"seen": 15, "root": "old"}, {"seen": 10, "root": "older"}], 0, 1 + 2 + 2),
        # A block that began is not used again.
        ([{"seen": 7}], 10, 1),
    ],
)
def test_a_changed_text_gets_fresh_seeds_and_its_looks_go_on_counting(tree, entries, first, earlier):
    assert revised(tree, *entries) == (first, earlier)
    study = tree.compiled()
    assert study.blocks == (Block(first, first + 4),)
    looks = {key: json.loads(study.judgement)[key] for key in ("first", "first_look", "earlier")}
    assert looks == {"first": first, "first_look": 5, "earlier": earlier}


def test_a_revision_counts_by_the_looks_of_each_scale_and_not_where_nothing_is_concluded(tree):
    tree.scale("big", first_look=10)
    tree.scale("ci", first_look=1, block=1, conclusive=False)
    assert revised(tree, {"seen": 10}, scale="big") == (10, 1)
    assert revised(tree, {"seen": 5}, scale="big") == (5, 0)
    assert revised(tree, {"seen": 5}, scale="ci") == (0, 0)


@given(st.lists(st.integers(1, 8), min_size=1, max_size=12))
def test_all_texts_together_cost_at_most_their_level(blocks):
    """The costs of all looks at all texts, each 2^-(k + o) of the level, sum to less than the level."""
    from assay.language.revised import Revision, looks_before

    seen = [5 * sum(blocks[: n + 1]) for n in range(len(blocks))]
    texts = [Revision(seen=number, why="x") for number in seen]
    spent = 0.0
    for n, own in enumerate(blocks):
        earlier = looks_before(texts[:n], 5)
        spent += sum(2.0 ** -(k + earlier) for k in range(1, looks_at(5, 5 * own) + 1))
    assert spent < 1


BAD_REVISIONS = {
    "a number": (5, "key 'revised': "),
    "a mapping": ({"seen": 5, "why": "x"}, "key 'revised': "),
    "no reason": ([{"seen": 5}], "key 'revised.0.why' is missing: why the text was changed"),
    "an empty reason": ([{"seen": 5, "why": " "}], "key 'revised.0.why': "),
    "no seeds": ([{"why": "x"}], "key 'revised.0.seen' is missing: how many seeds had been measured by then"),
    "none seen": ([{"seen": 0, "why": "x"}], "key 'revised.0.seen': "),
    "a text": ([{"seen": "5", "why": "x"}], "key 'revised.0.seen': "),
    "half a seed": ([{"seen": 5.5, "why": "x"}], "key 'revised.0.seen': "),
    "another key": ([{"seen": 5, "why": "x", "when": "now"}], "unknown key 'revised.0.when' (allowed: root, seen, why)"),
    "the same again": (
        [{"seen": 5, "why": "x"}, {"seen": 5, "why": "y"}],
        "revised[2]: seen: 5 is not more than the 5 before it; write how many seeds were measured in all",
    ),
    "fewer": ([{"seen": 10, "why": "x"}, {"seen": 5, "why": "y"}], "revised[2]: seen: 5 is not more than the 10 before it"),
}


@pytest.mark.parametrize("case", BAD_REVISIONS)
def test_a_revision_of_another_kind_is_said_in_one_line(tree, case):
    given, said = BAD_REVISIONS[case]
    tree.study(revised=given)
    line = in_one_line(tree.compiled)
    assert said in line
    assert "mixup.yaml: " in line


def test_a_revision_is_no_part_of_what_is_measured_or_judged(tree):
    before = tree.compiled()
    tree.study(revised=[{"seen": 5, "why": "x"}])
    after = tree.compiled()
    assert (after.digest, after.judged_digest) == (before.digest, before.judged_digest)
    assert yaml.safe_load(after.text)["revised"]
