"""Comparisons of representations against brute force, reference libraries, and transformations that must or must not matter."""

import itertools

import numpy as np
import pytest
from scipy.stats import ortho_group
from sklearn.cross_decomposition import CCA
from sklearn.linear_model import Lasso

from assay.metrics._units import correlations, standardise
from assay.metrics.best_correlation import best_correlation
from assay.metrics.cka import cka
from assay.metrics.matched_correlation import matched_correlation
from assay.metrics.sparse_prediction import held_out_r2, mapping, sparse_prediction
from assay.metrics.svcca import svcca
from assay.metrics.unmatched_share import unmatched_share


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def related(rng):
    """Two sets of six units: some shared, some mixed, some of one set alone."""
    common = rng.normal(size=(500, 6))
    return common, common @ rng.normal(size=(6, 6)) + 0.5 * rng.normal(size=(500, 6))


def test_correlations_are_numpys_and_zero_for_a_dead_unit(related):
    first, second = related
    expected = np.corrcoef(first.T, second.T)[:6, 6:]
    np.testing.assert_allclose(correlations(first.astype(np.float32), second), expected, atol=1e-6)
    dead = np.concatenate([first, np.full((500, 1), 0.1, np.float32)], axis=1)
    assert (correlations(dead, second)[-1] == 0).all()
    assert np.isfinite(standardise(dead)).all()


@pytest.mark.vouches("metrics/matched_correlation", paper="P011")
def test_matching_is_the_best_of_all_orders(related):
    first, second = related
    between = np.corrcoef(first.T, second.T)[:6, 6:]
    best = max(np.mean([between[i, j] for i, j in enumerate(order)]) for order in itertools.permutations(range(6)))
    assert matched_correlation(first, second) == pytest.approx(best)


@pytest.mark.vouches("metrics/matched_correlation", paper="P011")
def test_the_same_units_in_another_order_and_scale_match_perfectly_but_rotated_ones_do_not(rng):
    first = rng.normal(size=(800, 12))
    shuffled = first[:, rng.permutation(12)] * rng.uniform(0.1, 5, 12) + 3
    assert matched_correlation(first, shuffled) == pytest.approx(1)
    assert matched_correlation(first, first @ ortho_group.rvs(12, random_state=0)) < 0.8


@pytest.mark.vouches("metrics/best_correlation", paper="P011")
def test_a_unit_may_be_chosen_twice_in_semi_matching_alone(rng):
    unit = rng.normal(size=(4000, 1))
    first = np.concatenate([unit, unit], axis=1)
    second = np.concatenate([unit, rng.normal(size=(4000, 1))], axis=1)
    assert best_correlation(first, second) == pytest.approx(1)
    assert matched_correlation(first, second) == pytest.approx(0.5, abs=0.03)
    assert best_correlation(second, first) == pytest.approx(0.5, abs=0.03)


@pytest.mark.vouches("metrics/unmatched_share", paper="P011")
def test_units_of_one_network_alone_are_counted(rng):
    shared, own = rng.normal(size=(2000, 6)), rng.normal(size=(2000, 2))
    first = np.concatenate([shared, own], axis=1)
    second = np.concatenate([shared[:, ::-1], rng.normal(size=(2000, 2))], axis=1)
    assert unmatched_share(first, second) == 0.25
    assert unmatched_share(first, first) == 0


@pytest.mark.vouches("metrics/sparse_prediction", paper="P011")
def test_on_uncorrelated_inputs_the_mapping_is_the_soft_threshold(rng):
    inputs, _ = np.linalg.qr(rng.normal(size=(400, 5)))
    inputs *= np.sqrt(400)  # columns with mean square one, orthogonal
    targets = rng.normal(size=(400, 3))
    plain = inputs.T @ targets / 400
    # The minimum of mean squared error + decay |w| moves each coefficient by decay / 2 towards zero.
    expected = np.sign(plain) * np.maximum(np.abs(plain) - 0.03, 0)
    np.testing.assert_allclose(mapping(inputs, targets, 0.06), expected, atol=1e-4)


@pytest.mark.vouches("metrics/sparse_prediction", paper="P011")
def test_the_mapping_is_scikit_learns_without_the_shortcut_and_satisfies_the_optimality_conditions(related):
    inputs, targets = map(standardise, related)
    weights = mapping(inputs, targets, 0.1)
    reference = np.stack([Lasso(alpha=0.05, fit_intercept=False, tol=1e-8).fit(inputs, y).coef_ for y in targets.T], axis=1)
    np.testing.assert_allclose(weights, reference, atol=2e-3)
    slope = 2 * inputs.T @ (targets - inputs @ weights) / len(inputs)
    assert np.abs(slope).max() < 0.1 + 5e-3
    assert np.abs(np.abs(slope[weights != 0]) - 0.1).max() < 5e-3


@pytest.mark.vouches("metrics/sparse_prediction", paper="P011")
def test_a_shuffled_network_is_predicted_but_for_the_shrinkage_and_an_unrelated_one_not_at_all(rng):
    first = rng.normal(size=(4000, 8))
    second = first[:, rng.permutation(8)]
    # One weight of 1 - decay / 2 leaves (decay / 2)^2 of the variance.
    assert sparse_prediction(first, second, decay=0.2) == pytest.approx(1 - 0.01, abs=0.005)
    assert sparse_prediction(first, second, decay=0) == pytest.approx(1)
    assert abs(sparse_prediction(first, rng.normal(size=(4000, 8)), decay=0.2)) < 0.03
    dead = np.zeros((4000, 1))
    assert len(held_out_r2(first, np.concatenate([second, dead], axis=1), 0.1)) == 8
    assert sparse_prediction(first, dead) == 0


@pytest.mark.vouches("metrics/cka", paper="P011")
def test_cka_is_the_normalised_hsic_of_centred_gram_matrices(related):
    first, second = (a[:60] for a in related)
    centring = np.eye(60) - 1 / 60
    grams = [centring @ a @ a.T @ centring for a in (first, second)]
    hsic = [[np.trace(a @ b) for b in grams] for a in grams]
    assert cka(first, second) == pytest.approx(hsic[0][1] / np.sqrt(hsic[0][0] * hsic[1][1]))


@pytest.mark.vouches("metrics/cka", paper="P011")
def test_cka_ignores_rotation_and_scale_but_not_stretching(related, rng):
    first, second = related
    turned = 3 * first @ ortho_group.rvs(6, random_state=1) + 2
    assert cka(first, turned) == pytest.approx(1)
    assert cka(turned, second) == pytest.approx(cka(first, second))
    assert cka(first, first * np.array([20, 1, 1, 1, 1, 1])) < 0.6
    assert cka(rng.normal(size=(5000, 4)), rng.normal(size=(5000, 4))) < 0.01
    assert cka(first, np.ones((500, 2))) == 0


@pytest.mark.vouches("metrics/svcca", paper="P011")
def test_canonical_correlations_are_scikit_learns(related):
    first, second = related
    scores = CCA(n_components=6, max_iter=5000, tol=1e-10).fit(first, second).transform(first, second)
    expected = [np.corrcoef(a, b)[0, 1] for a, b in zip(scores[0].T, scores[1].T, strict=True)]
    assert svcca(first, second, share=1.0) == pytest.approx(np.mean(expected), abs=1e-3)


@pytest.mark.vouches("metrics/svcca", paper="P011")
def test_svcca_keeps_directions_by_their_share_of_the_variance(rng):
    """Singular values 10, 1, 1, 1: the first holds 100 of 103 parts of the variance, though 10 of 13 of the values' sum."""
    centred = rng.normal(size=(400, 7))
    axes = np.linalg.qr(centred - centred.mean(0))[0]
    first, second = axes[:, :4] * [10, 1, 1, 1], axes[:, [0, 4, 5, 6]] * [10, 1, 1, 1]
    assert svcca(first, second, share=0.9) == pytest.approx(1)
    assert svcca(first, second, share=0.98) == pytest.approx(1 / 2)  # of two directions each, one is shared
    assert svcca(first, second, share=1.0) == pytest.approx(1 / 4)


@pytest.mark.vouches("metrics/svcca", paper="P011")
def test_svcca_ignores_any_invertible_change_of_basis_and_noise_below_the_share_kept(rng):
    first = rng.normal(size=(3000, 5))
    assert svcca(first, first @ rng.normal(size=(5, 5)) + 1, share=1.0) == pytest.approx(1)
    faint = 1e-3 * rng.normal(size=(3000, 5))
    assert svcca(np.concatenate([first, faint], axis=1), first[:, ::-1]) == pytest.approx(1, abs=1e-3)
    assert svcca(rng.normal(size=(5000, 4)), rng.normal(size=(5000, 4))) < 0.06
    assert svcca(first, np.ones((3000, 2))) == 0
    unit = np.array([[0.5], [-0.5], [0.5], [-0.5]])  # squares that sum to 1 are a spread like any other
    assert svcca(unit, 3 * unit) == pytest.approx(1)


@pytest.mark.vouches("metrics/svcca", paper="P011")
def test_svcca_of_the_same_subspace_is_not_above_one(rng):
    """Singular values of a product of orthonormal bases round to more than one in about every fourth of these."""
    for _ in range(60):
        activations = rng.normal(size=(40, 4))
        found = svcca(activations, activations @ rng.normal(size=(4, 4)), share=1.0)
        assert 1 - 1e-6 < found <= 1
