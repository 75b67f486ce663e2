"""Brier score, classwise calibration, temperature, intrinsic dimension: against other libraries, definitions, closed forms."""

import numpy as np
import pytest
import torch
from sklearn.metrics import brier_score_loss

from assay.metrics.brier import brier
from assay.metrics.classwise_ece import classwise_ece
from assay.metrics.intrinsic_dimension import intrinsic_dimension
from assay.metrics.temperature import temperature

GENERATOR = torch.Generator().manual_seed(0)
LOGITS = 2 * torch.randn(500, 4, generator=GENERATOR)
LABELS = torch.randint(4, (500,), generator=GENERATOR)


def test_the_brier_score_is_scikit_learns():
    theirs = brier_score_loss(LABELS, LOGITS.double().softmax(1), labels=range(4), scale_by_half=False)
    assert brier(LOGITS, LABELS) == pytest.approx(theirs)
    certain = torch.tensor([[99.0, 0], [0, 99]])
    assert brier(certain, torch.tensor([0, 0])) == pytest.approx((0 + 2) / 2)


def test_classwise_calibration_is_its_definition_bin_by_bin():
    probabilities, total = LOGITS.double().softmax(1).numpy(), 0.0
    for k in range(4):
        for low in range(15):
            inside = (probabilities[:, k] > low / 15) & (probabilities[:, k] <= (low + 1) / 15)
            if inside.any():
                gap = (LABELS.numpy()[inside] == k).mean() - probabilities[inside, k].mean()
                total += abs(gap) * inside.mean()
    assert classwise_ece(LOGITS, LABELS) == pytest.approx(total / 4)


@pytest.mark.parametrize("factor", [0.25, 3.0])
def test_the_temperature_is_the_factor_that_logits_were_scaled_by(factor):
    """Labels are drawn from the probabilities of the unscaled logits, many times each, so that nothing is left to chance."""
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(50, 3, generator=generator)
    labels = torch.multinomial(logits.softmax(1), 4000, replacement=True, generator=generator)
    many = (factor * logits).repeat_interleave(4000, 0)
    assert temperature(many, labels.flatten()) == pytest.approx(factor, rel=0.02)


@pytest.mark.parametrize("dimension", [1, 2, 5])
def test_the_dimension_of_a_cube_in_a_larger_space_is_found(dimension):
    generator = np.random.default_rng(dimension)
    basis = np.linalg.qr(generator.normal(size=(12, dimension)))[0]
    features = generator.random((3000, dimension)) @ basis.T
    assert intrinsic_dimension(features) == pytest.approx(dimension, rel=0.1)


def test_rows_that_stand_twice_count_once():
    features = np.random.default_rng(0).random((200, 2))
    assert intrinsic_dimension(np.concatenate([features, features])) == intrinsic_dimension(features)
    assert intrinsic_dimension(features[[0, 0, 1]]) == 0
