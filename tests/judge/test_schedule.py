"""The schedule of looks and its price."""

import pytest

from assay.language.looks import looks_at, price, scheduled


@pytest.mark.parametrize(
    ("first_look", "seeds", "looks"),
    [
        (5, 0, ()),
        (5, 4, ()),
        (5, 5, (5,)),
        (5, 9, (5,)),
        (5, 10, (5, 10)),
        (5, 40, (5, 10, 20, 40)),
        (10, 39, (10, 20)),
        (1, 1, (1,)),
    ],
)
def test_looks_double_and_none_is_made_before_its_seeds_are_there(first_look, seeds, looks):
    assert scheduled(first_look, seeds) == looks
    assert looks_at(first_look, seeds) == len(looks)


def test_all_looks_that_may_come_spend_the_level_once():
    assert sum(1 / price(look) for look in range(1, 50)) == pytest.approx(1)


def test_ten_seeds_seen_under_an_earlier_text_make_the_next_look_the_third():
    assert price(1, earlier=looks_at(5, 10)) == 2**3
