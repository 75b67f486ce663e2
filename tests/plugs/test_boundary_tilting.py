"""Tilted boundaries by hand and against scikit-learn."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestCentroid

from assay.data.batch import TensorSplit, TensorWorld
from assay.data.seeds import Draw
from assay.errors import StudyError
from assay.models.linear import Linear
from assay.models.mlp import MLP
from assay.protocols.boundary_tilting import boundary_tilting
from assay.surgery._heads import NEVER, without_classifier
from assay.surgery.linear_svm import linear_svm
from assay.surgery.nearest_centroid import nearest_centroid
from assay.surgery.svm_head import svm_head
from assay.training.network import Bench, Network
from assay.worlds.pick_classes import pick_classes
from assay.worlds.shapes import shapes


def world(count=80, classes=2, seed=0):
    """Images of 1 x 3 x 3 around one mean a class, a little more of one class than of the other."""
    generator = torch.Generator().manual_seed(seed)
    means = torch.rand(classes, 1, 3, 3, generator=generator)
    labels = (torch.arange(count) % (2 * classes + 1)) % classes
    images = means[labels] + 0.15 * torch.randn(count, 1, 3, 3, generator=generator)
    split = TensorSplit(images, labels, {})
    return TensorWorld(split, split, tuple("abcdef"[:classes]), {})


def bench(given):
    return Bench(given, torch.Generator(), torch.device("cpu"))


def network(classes=2, model=Linear):
    torch.manual_seed(0)
    return Network(model(1, classes, 3), torch.tensor([0.4]), torch.tensor([0.3])).eval().requires_grad_(False)


def arm(given, trained):
    return SimpleNamespace(name="tried", world=given, network=trained, keep=lambda name, array: None)


@pytest.mark.vouches("surgery/nearest_centroid", paper="P029")
@pytest.mark.parametrize("classes", [2, 4])
def test_nearest_centroid_answers_as_scikit_learns(classes):
    given = world(200, classes)
    ours = nearest_centroid(network(classes), bench(given))
    pixels = given.train.images.flatten(1).numpy()
    theirs = NearestCentroid().fit(pixels, given.train.labels.numpy())
    others = torch.rand(500, 1, 3, 3, generator=torch.Generator().manual_seed(1))
    assert np.array_equal(ours(others).argmax(1), theirs.predict(others.flatten(1).numpy()))


@pytest.mark.parametrize("fit", [nearest_centroid, linear_svm, svm_head])
def test_a_class_without_samples_is_never_answered(fit):
    """Not even where no class that has samples claims the image, as in the middle of the others."""
    given = world(200, 4)
    kept = given.train.labels > 0
    split = TensorSplit(given.train.images[kept], given.train.labels[kept], {})
    fitted = fit(network(4), bench(TensorWorld(split, split, given.classes, {})))
    others = 20 * torch.randn(500, 1, 3, 3, generator=torch.Generator().manual_seed(1))
    others[0] = split.images.mean(0)
    logits = fitted(others)
    assert (logits[:, 1:].amax(1) < 0).any()
    assert set(logits.argmax(1).tolist()) == {1, 2, 3}


@pytest.mark.vouches("surgery/nearest_centroid", paper="P029")
def test_a_network_without_classifier_answers_the_same_to_all_images():
    given = network(4)
    emptied, head = without_classifier(given)
    assert (emptied(torch.rand(5, 1, 3, 3)) == NEVER).all()
    assert head is emptied.model.fc
    assert given.model.fc.weight.abs().min() > 0


@pytest.mark.vouches("surgery/linear_svm", paper="P029")
def test_little_weight_on_the_errors_gives_the_line_through_the_means_of_classes_of_any_size():
    """All samples pull as hard as they may, 80 in all, each side half: w = 40 c (mean of one side - mean of the other)."""
    images = world().train.images
    labels = (torch.arange(80) % 5 == 0).long()
    split = TensorSplit(images + labels[:, None, None, None] * 0.3, labels, {})
    given = TensorWorld(split, split, ("a", "b"), {})
    head = linear_svm(network(), bench(given), c=1e-6).model.fc
    features = network().features(split.images)
    expected = 40e-6 * (features[labels == 1].mean(0) - features[labels == 0].mean(0))
    torch.testing.assert_close(head.weight[1], expected, rtol=1e-3, atol=1e-9)


@pytest.mark.vouches("surgery/linear_svm", paper="P029")
def test_a_hard_margin_lies_halfway_between_the_two_nearest_samples():
    """Two clusters on a line: the boundary is the bisector of their inner ends, and decision values there are -1 and 1."""
    images = torch.zeros(4, 1, 3, 3)
    images[:, 0, 0, 0] = torch.tensor([-3.0, -1.0, 2.0, 5.0])
    split = TensorSplit(images, torch.tensor([0, 0, 1, 1]), {})
    result = linear_svm(network(), bench(TensorWorld(split, split, ("a", "b"), {})), c=1e6)
    torch.testing.assert_close(result(images[1:3])[:, 1], torch.tensor([-1.0, 1.0]), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(result(images)[:, 0], -result(images)[:, 1], rtol=1e-4, atol=1e-4)


def with_weights(first, second, bias=0.0):
    """A classifier of two classes with the logit difference second . x - first . x + bias on raw pixels."""
    trained = Network(Linear(1, 2, 3), torch.zeros(1), torch.ones(1)).eval().requires_grad_(False)
    trained.model.fc.weight.copy_(torch.stack([first, second]))
    trained.model.fc.bias.copy_(torch.tensor([0.0, bias]))
    return trained


@pytest.mark.vouches("protocols/boundary_tilting", paper="P029")
@pytest.mark.parametrize("degrees", [0, 30, 60, 80])
def test_a_boundary_tilted_by_hand_has_that_angle_and_the_distance_it_predicts(degrees):
    """Classes at -1 and 1 on the first axis, spread along the others; weights in the plane of the first two."""
    images = torch.zeros(60, 1, 3, 3)
    images[:, 0, 0, 0] = torch.arange(60) % 2 * 2.0 - 1
    images[:, 0, 2] = torch.randn(60, 3, generator=torch.Generator().manual_seed(0))
    split = TensorSplit(images, torch.arange(60) % 2, {})
    radians = np.radians(degrees)
    w = torch.zeros(9)
    w[0], w[1] = np.cos(radians), np.sin(radians)
    found = dict(boundary_tilting(arm(TensorWorld(split, split, ("a", "b"), {}), with_weights(-2 * w, 5 * w))))
    # The means also differ by chance in the last row, which lengthens their distance: reckon with what they are.
    apart = images[split.labels == 1].mean(0) - images[split.labels == 0].mean(0)
    cosine = float((apart.flatten() @ w) / apart.norm())
    assert found["angle"] == pytest.approx(np.degrees(np.arccos(cosine)), abs=1e-3)
    assert found["distance"] == pytest.approx(np.cos(radians), rel=1e-5)
    assert found["predicted"] == pytest.approx(np.cos(radians), rel=1e-5)
    assert found["mismatch"] == pytest.approx(0, abs=1e-5)
    assert found["top1"] == found["train_top1"] == 1


@pytest.mark.vouches("protocols/boundary_tilting", paper="P029")
def test_the_pictures_are_the_nearest_undecided_images_and_the_weights():
    given, trained, kept = world(), network(), {}
    measured = arm(given, trained)
    measured.keep = kept.__setitem__
    list(boundary_tilting(measured))
    moved = kept["on_the_boundary"]
    logits = trained(moved.float())
    torch.testing.assert_close(logits[:, 0], logits[:, 1])
    path, w = (moved - given.test.images[:6]).flatten(1), kept["weights"].flatten()
    assert torch.nn.functional.cosine_similarity(path, w[None]).abs().min() > 1 - 1e-6  # straight there
    assert w.abs().max() == 1


@pytest.mark.vouches("protocols/boundary_tilting", paper="P029")
def test_the_nearest_centroid_is_not_tilted():
    given = world()
    found = dict(boundary_tilting(arm(given, nearest_centroid(network(), bench(given)))))
    assert found["angle"] == pytest.approx(0, abs=0.1)


def test_what_is_not_affine_or_has_three_classes_is_refused():
    with pytest.raises(StudyError, match=r"arm 'tried': .* needs 2 classes, the world has 3; use pick_classes"):
        list(boundary_tilting(arm(world(classes=3), network(3))))
    with pytest.raises(StudyError, match=r"arm 'tried': .* needs an affine network; use model linear"):
        list(boundary_tilting(arm(world(), network(model=lambda *shape: MLP(*shape, width=8)))))


def test_two_classes_are_picked_and_numbered_in_the_order_given():
    def noisy(draw):
        return shapes(draw, train=2000, test=200, size=8, label_noise=0.3)

    draw = Draw("world", 0)
    plain, picked = noisy(draw), pick_classes(draw, of=noisy, classes=[7, 3])
    assert picked.classes == (plain.classes[7], plain.classes[3])
    rows = np.isin(plain.train.labels, [3, 7]) & np.isin(plain.train.factors["clean_label"], [3, 7])
    assert np.array_equal(picked.train.images, plain.train.images[rows])
    assert np.array_equal(picked.train.labels, np.where(plain.train.labels[rows] == 7, 0, 1))
    assert np.array_equal(picked.train.factors["clean_label"], np.where(plain.train.factors["clean_label"][rows] == 7, 0, 1))
    assert (picked.train.labels != picked.train.factors["clean_label"]).any()
    assert np.array_equal(picked.test.labels, picked.test.factors["clean_label"])
    for classes in ([3, 3], [0, 10]):
        with pytest.raises(StudyError, match="different classes from 0 to 9"):
            pick_classes(draw, of=noisy, classes=classes)
