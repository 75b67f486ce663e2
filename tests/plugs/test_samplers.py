"""Samplers: which rows come how often, counted by hand."""

from collections import Counter

import pytest
import torch

from assay.data.batch import Epoch, TensorSplit
from assay.errors import StudyError
from assay.samplers._passes import passes
from assay.samplers.alternating import alternating
from assay.samplers.balanced import balanced
from assay.samplers.subset import subset
from assay.samplers.weighted import weighted

LABELS = torch.tensor([0] * 14 + [1] * 5 + [2])
PLACE = torch.tensor([0, 1, 3, 3] * 5)
SIZES = (7, 7, 6)


def epoch(number=0, sizes=SIZES):
    factors = {"place": PLACE, "depth": torch.linspace(0, 1, 20), "mask": torch.zeros(20, 4, 4, dtype=torch.long)}
    return Epoch(TensorSplit(torch.zeros(20, 1, 4, 4), LABELS, factors), number, 10, sizes)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


CASES = {
    "weighted": (weighted, {"weights": [1.0, 2.0, 0.5]}),
    "balanced": (balanced, {"factors": ["label"]}),
    "alternating": (alternating, {"factor": "place"}),
    "subset": (subset, {"share": 0.25}),
}


@pytest.mark.parametrize("case", CASES)
def test_steps_have_the_sizes_asked_for_and_depend_on_the_generator_alone(case):
    sampler, parameters = CASES[case]
    before = torch.get_rng_state()
    parts = sampler(epoch(), generator(), **parameters)
    assert tuple(map(len, parts)) == SIZES
    rows = torch.cat(list(parts))
    assert rows.dtype == torch.long
    assert rows.min() >= 0
    assert rows.max() < 20
    assert torch.equal(rows, torch.cat(list(sampler(epoch(), generator(), **parameters))))
    assert not torch.equal(rows, torch.cat(list(sampler(epoch(), generator(1), **parameters))))
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("count", [3, 20, 47])
def test_no_row_comes_again_before_all_others_came(count):
    rows = torch.arange(100, 120)
    drawn = passes(rows, count, generator()).tolist()
    assert len(drawn) == count
    for start in range(0, count, 20):
        assert len(set(drawn[start : start + 20])) == len(drawn[start : start + 20])
    assert set(drawn) <= set(rows.tolist())
    assert drawn[:20] != drawn[20:40] or count < 40


def test_a_row_is_drawn_in_proportion_to_the_weight_of_its_value():
    rows = torch.cat(list(weighted(epoch(sizes=(20000,)), generator(), weights=[1.0, 2.0, 0.0])))
    often = Counter(rows.tolist())
    assert 19 not in often
    shares = torch.tensor([often[row] / 20000 for row in range(19)])
    expected = torch.tensor([1.0] * 14 + [2.0] * 5) / 24
    assert (shares - expected).abs().max() < 5 * (expected.max() / 20000).sqrt()
    places = PLACE[torch.cat(list(weighted(epoch(), generator(), weights=[0.0, 0.0, 5.0, 1.0], factor="place")))]
    assert places.unique().tolist() == [3]


def test_every_step_holds_equal_numbers_of_each_group():
    parts = balanced(epoch(sizes=(9, 9, 8)), generator(), factors=["label"])
    counts = [torch.bincount(LABELS[part], minlength=3).tolist() for part in parts]
    assert counts == [[3, 3, 3], [3, 3, 3], [3, 3, 2]]
    rows = torch.cat(list(parts)).tolist()
    own = [row for row in rows if LABELS[row] == 1]
    assert sorted(Counter(own).values()) == [1, 2, 2, 2, 2]  # nine of five rows: two passes but one
    assert max(Counter(row for row in rows if LABELS[row] == 0).values()) == 1
    # in random order, or a share of a step would hold some groups alone
    assert any(
        LABELS[part].tolist() != [0, 1, 2] * 3 and LABELS[part].tolist() != sorted(LABELS[part].tolist()) for part in parts
    )


def test_groups_are_the_combinations_of_values_that_occur():
    groups = epoch().groups(["label", "place"])
    assert [(LABELS[g].unique().tolist(), PLACE[g].unique().tolist()) for g in groups] == [
        ([label], [place]) for label, place in [(0, 0), (0, 1), (0, 3), (1, 0), (1, 1), (1, 3), (2, 3)]
    ]
    assert sorted(torch.cat(groups).tolist()) == list(range(20))
    parts = balanced(epoch(sizes=(14, 7)), generator(), factors=["label", "place"])
    for part in parts:
        assert set(Counter(zip(LABELS[part].tolist(), PLACE[part].tolist(), strict=True)).values()) == {len(part) // 7}


def test_a_step_has_one_environment_and_all_come_in_turn():
    parts = alternating(epoch(sizes=(4,) * 6), generator(), factor="place")
    found = [PLACE[part].unique().tolist() for part in parts]
    assert all(len(values) == 1 for values in found)
    values = [value for [value] in found]
    assert sorted(values[:3]) == sorted(values[3:]) == [0, 1, 3]
    first = torch.cat([part for part, value in zip(parts, values, strict=True) if value == 0])
    assert sorted(Counter(first.tolist()).values()) == [1, 1, 2, 2, 2]  # eight of five rows
    few = alternating(epoch(sizes=(4,)), generator(), factor="place")
    assert len(few) == 1


def test_a_subset_is_drawn_anew_each_epoch_and_gone_through_in_passes():
    first, second = (torch.cat(list(subset(epoch(), generator(seed), share=0.25))) for seed in (0, 1))
    assert sorted(Counter(first.tolist()).values()) == [4] * 5
    assert set(first.tolist()) != set(second.tolist())
    assert len(set(torch.cat(list(subset(epoch(), generator(), share=1.0))).tolist())) == 20
    assert len(set(torch.cat(list(subset(epoch(), generator(), share=0.001))).tolist())) == 1


@pytest.mark.parametrize(
    ("sampler", "parameters", "message"),
    [
        (alternating, {"factor": "plaec"}, r"sampler: unknown factor 'plaec'; did you mean 'place'\? \(allowed: label, place\)"),
        (alternating, {"factor": "depth"}, "unknown factor 'depth'"),
        (balanced, {"factors": ["mask"]}, "unknown factor 'mask'"),
        (weighted, {"weights": [1.0]}, "sampler weighted: weights: 1 are given for values from 0, and label goes from 0 to 2"),
        (weighted, {"weights": [0.0, 0.0, 1.0, 0.0], "factor": "place"}, "leave no row of the world; give a value that occurs"),
        (
            balanced,
            {"factors": ["label", "place"]},
            "a step of 6 rows cannot hold 7 groups of label, place; set budget: batch to",
        ),
    ],
)
def test_what_cannot_be_drawn_is_refused(sampler, parameters, message):
    with pytest.raises(StudyError, match=message):
        sampler(epoch(), generator(), **parameters)


def test_values_below_zero_have_no_weight():
    shifted = Epoch(TensorSplit(torch.zeros(20, 1, 4, 4), LABELS, {"place": PLACE - 1}), 0, 10, SIZES)
    with pytest.raises(StudyError, match="place goes from -1 to 2; give each value one"):
        weighted(shifted, generator(), weights=[1.0, 1.0, 1.0], factor="place")
