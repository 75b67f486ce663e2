"""Blocks: how repetitions are cut into them, what they are called, and what no block is called."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from project_tree import SCALE, Tree

from assay.errors import StudyError
from assay.language.blocks import Block, blocks
from assay.language.scales import load_scale, scales


@pytest.mark.parametrize(
    ("name", "repetitions"), [("0-4", [0, 1, 2, 3, 4]), ("5-9", [5, 6, 7, 8, 9]), ("3-3", [3]), ("10-11", [10, 11])]
)
def test_a_block_is_named_after_its_first_and_its_last_repetition(name, repetitions):
    block = Block.named(name)
    assert list(block.repetitions) == repetitions
    assert block.name == name


@pytest.mark.parametrize(
    "name", ["", "4", "0", "0-", "-4", "4-0", "00-4", "0-04", "0-4 ", "0-4\n", "0–4", "a-b", "-1-3", "0-4-9", "٠-٤"]
)
def test_what_names_no_block_is_said_in_one_line(name):
    with pytest.raises(StudyError) as caught:
        Block.named(name)
    assert str(caught.value) == f"'{name}' names no block of repetitions; write the first and the last, such as 0-4"


@given(st.integers(0, 10**6), st.integers(0, 10**4))
def test_every_block_is_found_by_its_name(first, more):
    assert Block.named(Block(first, first + more).name) == Block(first, first + more)


@given(st.integers(1, 20), st.integers(1, 20))
def test_blocks_hold_every_repetition_once_and_in_order(size, count):
    found = blocks(size * count, size)
    assert [seed for block in found for seed in block.repetitions] == list(range(size * count))
    assert {len(block.repetitions) for block in found} == {size}


def test_more_repetitions_leave_the_blocks_there_were():
    """So that evidence grows: what was written is never opened again."""
    assert blocks(15, 5)[:2] == blocks(10, 5) == (Block(0, 4), Block(5, 9))


def test_blocks_are_in_the_order_of_their_numbers_not_of_their_names():
    assert sorted([Block(10, 14), Block(0, 4), Block(5, 9)]) == [Block(0, 4), Block(5, 9), Block(10, 14)]


def test_a_study_has_the_blocks_of_its_scale(tmp_path):
    tree = Tree(tmp_path)
    tree.scale(first_look=6, block=2)
    tree.study()
    study = tree.compiled()
    assert study.blocks == (Block(0, 1), Block(2, 3), Block(4, 5))
    tree.scale(first_look=12, block=3)
    assert tree.compiled().digest == study.digest  # neither their number nor their size is part of what is measured


@pytest.mark.parametrize(("seeds", "block"), [(5, 2), (5, 6), (10, 4)])
def test_a_block_divides_the_seeds_of_a_scale(tmp_path, seeds, block):
    (tmp_path / "scales").mkdir()
    (tmp_path / "scales/some.yaml").write_text(yaml.safe_dump(SCALE | {"first_look": seeds, "block": block}))
    with pytest.raises(StudyError) as caught:
        load_scale("some", tmp_path)
    assert str(caught.value).endswith(f"some.yaml: block: {block} does not divide first_look: {seeds}; give whole blocks")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("block", [0, -5, 2.5, "5"])
def test_a_block_is_a_whole_number_of_repetitions(tmp_path, block):
    (tmp_path / "scales").mkdir()
    (tmp_path / "scales/some.yaml").write_text(yaml.safe_dump(SCALE | {"block": block}))
    with pytest.raises(StudyError, match=r"some\.yaml: key 'block': [^\n]*$"):
        load_scale("some", tmp_path)


def test_every_committed_scale_is_made_of_whole_blocks():
    assert scales()
    for name in scales():
        scale = load_scale(name)
        assert blocks(scale.first_look, scale.block)[-1].last == scale.first_look - 1
