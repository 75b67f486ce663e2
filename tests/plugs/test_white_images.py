"""White and black images stay in range to the last bit: weights whose sum rounds to more than one would leave it."""

import pytest
import torch

from assay.corruptions._sequences import SEQUENCES
from assay.language.plugs import find, load
from assay.protocols.zoom import resized


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def in_range(images: torch.Tensor) -> bool:
    return bool(images.min() >= 0) and bool(images.max() <= 1)


@pytest.mark.parametrize("level", [0.0, 1.0])
@pytest.mark.parametrize("name", sorted(find("corruptions")))
def test_corrupted_white_and_black_stay_in_range(name, level):
    corruption = load("corruptions", name)
    for side in (16, 24):
        flat = torch.full((2, 3, side, side), level)
        assert all(in_range(corruption(flat, severity, generator())) for severity in range(1, 6))


@pytest.mark.parametrize("level", [0.0, 1.0])
@pytest.mark.parametrize("name", sorted(SEQUENCES))
def test_films_of_white_and_black_stay_in_range(name, level):
    assert all(in_range(SEQUENCES[name](torch.full((2, 1, side, side), level), 9, generator())) for side in (16, 24, 40))


def test_resized_white_and_black_stay_in_range():
    for level in (0.0, 1.0):
        flat = torch.full((1, 1, 32, 32), level)
        assert all(in_range(resized(flat, size)) for size in (8, 11, 14, 20, 48))
    assert torch.nn.functional.interpolate(flat, size=(14, 14), mode="bilinear", antialias=True).max() > 1
