"""A study that is revised until something holds: what its looks cost keeps it from erring more often than one that is not."""

import numpy as np
import pytest
from scipy import stats

from assay.language.looks import scheduled
from assay.language.revised import Revision, first_repetition, looks_before

STUDIES, TEXTS, SEEDS, FIRST_LOOK, ALPHA = 20_000, 10, 10, 5, 0.05


@pytest.fixture(scope="module")
def values() -> np.ndarray:
    """A/A: every text of every study is without effect, on all seeds that ten texts have one after the other."""
    return np.random.default_rng(19).normal(size=(STUDIES, TEXTS * SEEDS))


def held(values: np.ndarray, counted: bool) -> float:
    """The share of studies of which some text holds: p(n_k) 2^(k + o) <= alpha at a look, with the looks at earlier texts counted
    (o) or not."""
    revisions, some = [], np.zeros(STUDIES, bool)
    for _ in range(TEXTS):
        first = first_repetition(revisions, FIRST_LOOK)
        earlier = looks_before(revisions, FIRST_LOOK) if counted else 0
        for k, look in enumerate(scheduled(FIRST_LOOK, SEEDS), 1):
            p = stats.ttest_1samp(values[:, first : first + look], 0, axis=1, alternative="greater").pvalue
            some |= p * 2.0 ** (k + earlier) <= ALPHA
        revisions.append(Revision(seen=first + SEEDS, why="nothing held"))
    assert first + SEEDS == values.shape[1]  # every text had seeds of its own
    return some.mean()


def test_ten_revisions_err_as_seldom_as_one_text(values):
    assert held(values, counted=True) <= 0.05
    assert held(values, counted=True) == pytest.approx(0.043, abs=0.005)


def test_looks_that_begin_anew_with_each_text_would_be_seen(values):
    assert held(values, counted=False) >= 0.2
