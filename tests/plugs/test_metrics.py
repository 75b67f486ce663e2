"""What holds for all metrics: values that are no numbers are refused, and ties are broken by one rule."""

import numpy as np
import pytest
import torch
from scipy.ndimage import convolve, gaussian_filter
from torch import nn

from assay.errors import EvidenceError
from assay.language.plugs import find, load
from assay.metrics._erase import blurred
from assay.metrics._ranking import largest_first
from assay.metrics.box_overlap import box_overlap
from assay.metrics.deletion import deletion
from assay.metrics.insertion import insertion
from assay.metrics.knn import knn
from assay.metrics.pointing import pointing


def drawn(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(len(shape)))


NETWORK = nn.Sequential(nn.Flatten(), nn.Linear(48, 3)).requires_grad_(False)
LABELS = torch.arange(12) % 3
SCORES = {"positive": drawn(12).numpy(), "negative": drawn(9).numpy()}
UNITS = {"first": drawn(12, 4).numpy(), "second": drawn(12, 3).numpy()}
LOGITS = {"logits": drawn(12, 3), "labels": LABELS}
ERASED = {"network": NETWORK, "images": drawn(12, 3, 4, 4), "targets": LABELS, "heat": drawn(12, 1, 4, 4)}
GIVEN = {
    "aupr": SCORES,
    "auroc": SCORES,
    "azimuthal_spectrum": {"images": drawn(5, 3, 8, 8)},
    "best_correlation": UNITS,
    "box_overlap": {"heat": drawn(3, 4, 4).numpy(), "boxes": np.array([[0.0, 0, 2, 2]] * 3)},
    "brier": LOGITS,
    "cka": UNITS,
    "classwise_ece": LOGITS,
    "deletion": ERASED,
    "ece": LOGITS,
    "flip_probability": {"answers": torch.ones(4, 5)},
    "fpr95": SCORES,
    "frechet_distance": {"first": drawn(12, 3), "second": drawn(9, 3)},
    "insertion": ERASED,
    "intrinsic_dimension": {"features": drawn(12, 4).numpy()},
    "knn": {"train_features": drawn(12, 4), "train_labels": LABELS, "features": drawn(12, 4), "labels": LABELS},
    "matched_correlation": UNITS,
    "mce": {"errors": drawn(3, 5), "reference": drawn(3, 5)},
    "output_std": {"outputs": drawn(12, 4)},
    "pointing": {"heat": drawn(3, 4, 4), "masks": torch.ones(3, 4, 4)},
    "rank_correlation": {"first": drawn(3, 4, 4).numpy(), "second": drawn(3, 4, 4).numpy()},
    "relative_mce": {"errors": drawn(3, 5), "clean": 0.1, "reference": drawn(3, 5), "reference_clean": 0.2},
    "rms_calibration_error": LOGITS,
    "sparse_prediction": UNITS,
    "svcca": UNITS,
    "temperature": LOGITS,
    "top1": LOGITS,
    "unmatched_share": UNITS,
}
NUMBERS = [
    (name, key)
    for name, given in GIVEN.items()
    for key, value in given.items()
    if isinstance(value, float) or (hasattr(value, "dtype") and "float" in str(value.dtype))
]


def spoilt(value, share):
    """The value with NaN at its first place, or throughout."""
    if isinstance(value, float):
        return float("nan")
    copy = value.clone() if isinstance(value, torch.Tensor) else value.copy()
    copy.reshape(-1)[: 1 if share == "one" else None] = float("nan")
    return copy


def test_every_metric_is_tried():
    assert set(GIVEN) == set(find("metrics"))


@pytest.mark.parametrize("share", ["one", "all"])
@pytest.mark.parametrize(("name", "key"), NUMBERS)
def test_a_metric_refuses_what_is_no_number(name, key, share):
    metric, given = load("metrics", name), GIVEN[name]
    assert np.isfinite(np.asarray(metric(**given))).all()
    count = np.asarray(given[key]).size
    lost = 1 if share == "one" else count
    with pytest.raises(EvidenceError, match=rf"metric {name}: {key}: {lost} of {count} values are no numbers \(NaN\); look at"):
        metric(**{**given, key: spoilt(given[key], share)})


@pytest.mark.parametrize("name", ["deletion", "insertion"])
def test_a_metric_refuses_a_network_that_answers_no_numbers(name):
    class Lost(nn.Module):
        def forward(self, images):
            return torch.full((len(images), 3), float("nan"))

    with pytest.raises(EvidenceError, match="logits"):
        load("metrics", name)(**{**ERASED, "network": Lost()})


@pytest.mark.parametrize("name", ["best_correlation", "cka", "unmatched_share"])
def test_infinite_activations_do_not_pass_for_unlike_ones(name):
    with pytest.raises(EvidenceError, match=r"cka: its result|correlations of units"), np.errstate(invalid="ignore"):
        load("metrics", name)(np.array([[np.inf], [0.0]]), np.array([[1.0], [0.0]]))


def test_of_equal_values_the_first_ranks_higher():
    for count in (3, 17, 63, 1000):
        assert largest_first(torch.zeros(2, count)).equal(torch.arange(count).expand(2, -1))
        steps = (torch.arange(count) % 3).float()
        assert largest_first(steps).equal(torch.from_numpy(np.argsort(-steps.numpy(), kind="stable")))


class Sums(nn.Module):
    """Two classes: the logit of the second is 20 for each lit pixel among the last sixteen, less 10."""

    def forward(self, images):
        lit = images.flatten(1)[:, -16:].sum(1)
        return torch.stack([torch.zeros_like(lit), 20 * lit - 10], 1)


@pytest.mark.vouches("metrics/deletion", paper="P288")
@pytest.mark.vouches("metrics/insertion", paper="P288")
def test_a_map_without_heat_erases_in_reading_order():
    """16 x 16 pixels of equal heat in 16 steps, a row each: the answer hangs on the last row, so it stays for 15 steps."""
    images, targets, cold = torch.ones(2, 1, 16, 16), torch.tensor([1, 1]), torch.zeros(2, 1, 16, 16)
    assert deletion(Sums(), images, targets, cold, steps=16) == pytest.approx(15.5 / 16, abs=1e-4)
    assert insertion(Sums(), images, targets, cold, steps=16, fill=0.0) == pytest.approx(0.5 / 16, abs=1e-4)
    assert pointing(cold[:, 0], torch.ones(2, 16, 16)) == 1
    first, last = (torch.nn.functional.one_hot(torch.tensor(place), 256).reshape(1, 16, 16) for place in (0, 255))
    assert (pointing(cold[:1, 0], first), pointing(cold[:1, 0], last)) == (1, 0)


@pytest.mark.vouches("metrics/deletion", paper="P288")
@pytest.mark.vouches("metrics/insertion", paper="P288")
def test_pixels_of_negative_heat_go_last():
    images, targets, heat = torch.ones(1, 1, 16, 16), torch.tensor([1]), torch.zeros(1, 1, 16, 16)
    heat[:, :, 15], heat[:, :, 0] = -5, 1  # the last row decides, and comes last
    assert deletion(Sums(), images, targets, heat, steps=16) == pytest.approx(15.5 / 16, abs=1e-4)
    assert insertion(Sums(), images, targets, heat, steps=16, fill=0.0) == pytest.approx(0.5 / 16, abs=1e-4)
    heat[:, :, 15] = 2
    assert deletion(Sums(), images, targets, heat, steps=16) == pytest.approx(0.5 / 16, abs=1e-4)


@pytest.mark.vouches("metrics/insertion", paper="P288")
def test_insertion_starts_from_the_blur_of_the_rise_paper():
    """The authors' kernel is scipy's Gaussian filter of deviation 5 at a point in the middle of 11 x 11."""
    point = np.zeros((11, 11))
    point[5, 5] = 1
    kernel = gaussian_filter(point, 5)
    images = drawn(2, 3, 20, 20).double()
    expected = np.stack([[convolve(plane, kernel, mode="mirror") for plane in image] for image in images.numpy()])
    np.testing.assert_allclose(blurred(images), expected, atol=1e-7)

    class First(nn.Module):
        """A probability that is the value of the first pixel."""

        def forward(self, images):
            p = images[:, 0, 0, 0].clamp(1e-9, 1 - 1e-9)
            return torch.stack([p, 1 - p], 1).log()

    heat = torch.zeros(2, 1, 20, 20)
    heat[:, :, 10:] = 1  # the first pixel comes back in the second step of two
    start, end = expected[:, 0, 0, 0].mean(), images[:, 0, 0, 0].mean().item()
    found = insertion(First(), images, torch.tensor([0, 0]), heat, steps=2)
    assert found == pytest.approx(start * 0.75 + end * 0.25, abs=1e-6)


def test_blur_keeps_images_smaller_than_its_kernel():
    torch.testing.assert_close(blurred(torch.full((1, 2, 3, 2), 0.4)), torch.full((1, 2, 3, 2), 0.4))


def test_of_equally_near_samples_and_votes_the_first_counts():
    bank = torch.ones(40, 2)
    labels = torch.tensor([3] * 5 + [1] * 5 + [2] * 30)
    assert knn(bank, labels, bank[:1], torch.tensor([3]), neighbours=5) == 1
    assert knn(bank, labels, bank[:1], torch.tensor([1]), neighbours=10) == 1  # five votes each for 3 and 1


def test_of_equally_large_segments_the_first_is_boxed():
    heat = np.zeros((1, 4, 4))
    heat[0, 0, 3] = heat[0, 2, 0] = 1
    assert box_overlap(heat, np.array([[3, 0, 4, 1]])).tolist() == [1]
