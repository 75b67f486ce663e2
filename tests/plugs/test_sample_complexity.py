"""Fully connected, locally connected and convolutional networks of one hidden layer, and the search for the samples they need."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from scipy.stats import norm

from assay.data.batch import to_tensors
from assay.data.seeds import Draw
from assay.errors import StudyError
from assay.models.cnn import CNN
from assay.models.fcn import FCN
from assay.models.lcn import LCN
from assay.protocols.sample_complexity import attainable, samples_needed
from assay.worlds.dsd import dsd

K, D = 4, 6
MODELS = {"cnn": CNN, "lcn": LCN, "fcn": FCN}


def make(name):
    torch.manual_seed(0)
    model = MODELS[name](1, 2, K * D, patches=K, rows=1).double()
    with torch.no_grad():
        model.weight.normal_()
        model.threshold.fill_(0.7)
    return model


def phi(z, b):
    return np.maximum(z - b, 0) - np.maximum(-z - b, 0)


@pytest.mark.vouches("models/cnn", paper="P019")
@pytest.mark.vouches("models/lcn", paper="P019")
@pytest.mark.vouches("models/fcn", paper="P019")
@pytest.mark.parametrize("name", MODELS)
def test_output_is_the_papers_formula(name):
    model = make(name)
    images = np.random.default_rng(1).standard_normal((5, K * D))
    weight = model.weight.detach().numpy()[0]
    filters = {
        "cnn": lambda i, x: weight.reshape(D) @ x[i * D : (i + 1) * D],
        "lcn": lambda i, x: weight[:, i] @ x[i * D : (i + 1) * D],
        "fcn": lambda i, x: weight[i] @ x,
    }[name]
    expected = [sum(phi(filters(i, x), 0.7) for i in range(K)) for x in images]
    logits = model(torch.from_numpy(images).reshape(5, 1, 1, K * D)).detach().numpy()
    np.testing.assert_allclose(logits[:, 1] - logits[:, 0], expected)
    np.testing.assert_allclose(logits.sum(1), 0, atol=1e-12)


@pytest.mark.parametrize(("name", "fan_in"), [("cnn", 3 * 64), ("lcn", 3 * 64), ("fcn", 3 * 64 * 4)])
def test_initial_weights_deviate_by_one_over_what_a_unit_sees(name, fan_in):
    """Three channels of 16 x 16 pixels, two patches of 8 pixels in a row and two rows of them."""
    torch.manual_seed(0)
    model = MODELS[name](3, 100, 16, patches=2)
    assert model.weight.std().item() * fan_in == pytest.approx(1, abs=0.02)
    assert model.threshold.item() == 0


@pytest.mark.vouches("models/lcn", paper="P019")
@pytest.mark.vouches("models/fcn", paper="P019")
def test_each_architecture_contains_the_next():
    cnn, lcn, fcn = make("cnn"), make("lcn"), make("fcn")
    with torch.no_grad():
        lcn.weight.copy_(cnn.weight.reshape(1, D, 1).expand(1, D, K))
        fcn.weight.zero_()
        for i in range(K):
            fcn.weight[0, i, i * D : (i + 1) * D] = lcn.weight[0, :, i]
    images = torch.randn(7, 1, 1, K * D, dtype=torch.float64)
    torch.testing.assert_close(lcn(images), cnn(images))
    torch.testing.assert_close(fcn(images), cnn(images))
    assert [sum(p.numel() for p in m.parameters()) - 1 for m in (cnn, lcn, fcn)] == [D, K * D, K * K * D]


def trained(model, images, labels, steps=5):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3, momentum=0.9, nesterov=True)
    for _ in range(steps):
        loss = torch.nn.functional.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model


def rotation(size, seed):
    return torch.from_numpy(np.linalg.qr(np.random.default_rng(seed).standard_normal((size, size)))[0])


@pytest.mark.vouches("models/fcn", paper="P019")
@pytest.mark.vouches("models/lcn", paper="P019")
@pytest.mark.vouches("models/cnn", paper="P019")
@pytest.mark.parametrize("name", MODELS)
def test_training_is_equivariant_to_just_the_rotations_its_structure_allows(name):
    """FCN to any rotation of the pixels, LCN to one of its own in each patch, CNN to the same one in all: what the lower
    bounds rest on."""
    blocks = {
        "fcn": [rotation(K * D, 0)],
        "lcn": [rotation(D, i) for i in range(K)],
        "cnn": [rotation(D, 0)] * K,
    }[name]
    turn = torch.block_diag(*blocks)
    images = torch.randn(40, K * D, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    labels = torch.arange(40) % 2
    plain, turned = make(name), make(name)
    with torch.no_grad():
        weight = turned.weight
        if name == "fcn":
            weight[0] = weight[0] @ turn.T
        elif name == "lcn":
            weight[0] = torch.stack([blocks[i] @ weight[0, :, i] for i in range(K)], 1)
        else:
            weight.copy_((blocks[0] @ weight.flatten()).reshape(weight.shape))
    trained(plain, images.reshape(40, 1, 1, -1), labels)
    trained(turned, (images @ turn.T).reshape(40, 1, 1, -1), labels)
    torch.testing.assert_close(plain(images.reshape(40, 1, 1, -1)), turned((images @ turn.T).reshape(40, 1, 1, -1)))


@pytest.mark.parametrize("name", MODELS)
def test_square_images_and_more_classes(name):
    model = MODELS[name](3, 5, 16, patches=4)
    images = torch.randn(2, 3, 16, 16)
    assert model(images).shape == (2, 5)
    assert model.forward_head(model.forward_features(images), pre_logits=True).shape == (2, 5 * 16)
    with pytest.raises(StudyError, match="patches = 3"):
        MODELS[name](3, 5, 16, patches=3)


@pytest.mark.vouches("protocols/sample_complexity", paper="P019")
@pytest.mark.parametrize("needed", [5.0, 23.0, 64.0, 900.0])
def test_search_finds_where_a_known_curve_crosses_the_target(needed):
    curve = lambda count: 0.5 + 0.4 * math.log(count / 2) / math.log(needed / 2)  # noqa: E731  (0.9 at `needed`, linear in log samples)
    asked = []

    def reached(count):
        asked.append(count)
        return curve(count)

    assert samples_needed(reached, 0.9, 4, 2000) == pytest.approx(needed)
    assert len(asked) <= 4
    assert max(asked) <= 1024


@pytest.mark.vouches("protocols/sample_complexity", paper="P019")
def test_search_ends_at_the_numbers_tried():
    assert samples_needed(lambda count: 0.6, 0.9, 4, 200) == 128
    assert samples_needed(lambda count: 0.99, 0.9, 4, 200) == 4


@pytest.mark.vouches("protocols/sample_complexity", paper="P019")
def test_attainable_accuracy_has_a_closed_form_for_one_patch():
    # One patch: the sign of w . x, which is +-1 plus noise of deviation sigma.
    world = to_tensors(dsd(Draw("world", 0, 0), train=10, test=20000, patches=1, dimension=5, sigma=0.8), torch.device("cpu"))
    assert attainable(world.test, 1) == pytest.approx(norm.cdf(1 / 0.8), abs=0.008)


@pytest.mark.vouches("protocols/sample_complexity", paper="P019")
def test_a_threshold_beats_the_linear_rule_with_many_patches():
    make_split = partial(dsd, Draw("world", 0, 1), train=10, test=20000, patches=16, dimension=4, sigma=0.3)
    world = to_tensors(make_split(), torch.device("cpu"))
    linear = norm.cdf(1 / (0.3 * 4))
    assert attainable(world.test, 16) > linear + 0.02
