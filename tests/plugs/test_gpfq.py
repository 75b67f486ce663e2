"""GPFQ and rounding to nearest, against the paper's recursion written out, its defining optimality, and cases with known
answers.
"""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from assay.data.batch import TensorSplit, TensorWorld
from assay.protocols.quantised import relative_error, zeros
from assay.surgery._layers import Moments, as_rows, layer_inputs, nearest
from assay.surgery.gpfq import gpfq, greedy_path, to_alphabet
from assay.surgery.msq import msq
from assay.training.network import Bench, Network


def moments(x, y):
    return Moments(y.T @ x, y.T @ y, x.T @ x)


def inputs(rows=40, features=12, rank=4):
    """Two similar low-rank input matrices, as the analog and the quantised network have them, and weights of five neurons."""
    torch.manual_seed(0)
    x = torch.randn(rows, rank, dtype=torch.float64) @ torch.randn(rank, features, dtype=torch.float64)
    y = x + 0.1 * torch.randn(rows, features, dtype=torch.float64)
    return x, y, torch.randn(5, features, dtype=torch.float64)


def bench(images):
    split = TensorSplit(images, torch.zeros(len(images), dtype=torch.long), {})
    return Bench(TensorWorld(split, split, ("a", "b"), {}), torch.Generator().manual_seed(0), torch.device("cpu"))


def conv_network():
    torch.manual_seed(1)
    convolution = nn.Conv2d(3, 6, 3, stride=2, padding=1)
    model = nn.Sequential(convolution, nn.ReLU(), nn.Flatten(), nn.Linear(96, 20), nn.ReLU(), nn.Linear(20, 2))
    return Network(model, torch.full((3,), 0.5), torch.full((3,), 0.3))


@pytest.mark.vouches("surgery/gpfq", paper="P174")
@pytest.mark.parametrize(("sparsity", "threshold"), [("none", 0.0), ("soft", 0.2), ("hard", 0.2)])
def test_weights_follow_the_recursion_of_the_running_residual(sparsity, threshold):
    x, y, weights = inputs()
    radius, bits = float(weights.abs().amax(1).mean()), 2
    residual = torch.zeros(5, len(x), dtype=torch.float64)
    expected = torch.zeros_like(weights)
    for t in range(weights.shape[1]):
        residual = residual + weights[:, t, None] * x[None, :, t]
        aim = residual @ y[:, t] / y[:, t].square().sum()
        expected[:, t] = to_alphabet(aim, radius, bits=bits, sparsity=sparsity, threshold=threshold)
        residual = residual - expected[:, t, None] * y[None, :, t]
    made = greedy_path(weights, moments(x, y), radius, bits=bits, sparsity=sparsity, threshold=threshold)
    torch.testing.assert_close(made, expected)
    # The residual at the end is the error of the layer's outputs.
    direct = residual.square().sum() / (x @ weights.T).square().sum()
    assert moments(x, y).relative_error(weights, made) == pytest.approx(float(direct))


@pytest.mark.vouches("surgery/gpfq", paper="P174")
def test_every_choice_leaves_the_smallest_residual_the_alphabet_allows():
    x, y, weights = inputs()
    radius, bits = 1.5, 2
    alphabet = radius * torch.tensor([-1.0, -0.5, 0.0, 0.5, 1.0], dtype=torch.float64)
    made = greedy_path(weights, moments(x, y), radius, bits=bits, sparsity="none", threshold=0.0)
    for t in range(weights.shape[1]):
        before = x[:, : t + 1] @ weights[:, : t + 1].T - y[:, :t] @ made[:, :t].T
        norms = (before[..., None] - y[:, t, None, None] * alphabet).square().sum(0)
        torch.testing.assert_close(made[:, t], alphabet[norms.argmin(1)])


@pytest.mark.vouches("surgery/gpfq", paper="P174")
def test_the_scale_of_the_inputs_changes_no_weight():
    """The recursion divides by ||Y_t||^2; only a feature that is always 0 has no aim, and gets weight 0."""
    x, y, weights = inputs()
    options = {"bits": 2, "sparsity": "none", "threshold": 0.0}
    made = greedy_path(weights, moments(x, y), 1.5, **options)
    assert torch.equal(greedy_path(weights, moments(x / 64, y / 64), 1.5, **options), made)
    y[:, 3] = 0
    assert (greedy_path(weights, moments(x, y), 1.5, **options)[:, 3] == 0).all()


@pytest.mark.vouches("surgery/gpfq", paper="P174")
@pytest.mark.vouches("surgery/msq", paper="P174")
def test_orthogonal_features_leave_nothing_to_make_up_for():
    """With X = Y and orthogonal columns the residual never points along the next feature, so GPFQ is rounding to nearest."""
    x = torch.linalg.qr(torch.randn(40, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(3)))[0] * 3
    weights = inputs()[2]
    made = greedy_path(weights, moments(x, x), 2.0, bits=3, sparsity="none", threshold=0.0)
    torch.testing.assert_close(made, nearest(weights, 0.5, 3))


@pytest.mark.vouches("surgery/gpfq", paper="P174")
def test_equal_features_share_their_weights_errors():
    """Two equal features of weight 0.4 and levels -1, 0, 1: the first is rounded to 0, the second carries 0.8 and becomes 1."""
    x = torch.ones(7, 2, dtype=torch.float64)
    made = greedy_path(torch.tensor([[0.4, 0.4]]).double(), moments(x, x), 1.0, bits=1, sparsity="none", threshold=0.0)
    assert made.tolist() == [[0.0, 1.0]]
    assert nearest(torch.tensor([0.4, 0.4]), 1.0, 1).tolist() == [0.0, 0.0]


@pytest.mark.vouches("surgery/gpfq", paper="P174")
def test_thresholds_of_hand_worked_values():
    values = torch.tensor([-3.0, -0.7, -0.2, 0.0, 0.3, 0.6, 0.9, 5.0], dtype=torch.float64)
    soft = to_alphabet(values, 2.0, bits=1, sparsity="soft", threshold=0.5)
    assert soft.tolist() == [-2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 2.0]
    # Hard: 0 or +-(0.5 + k 0.75), k = 0, 1, 2: radius 2, threshold 0.5, two steps to either side.
    hard = to_alphabet(values, 2.0, bits=2, sparsity="hard", threshold=0.5)
    assert hard.tolist() == [-2.0, -0.5, 0.0, 0.0, 0.0, 0.5, 1.25, 2.0]


@pytest.mark.vouches("surgery/gpfq", paper="P174")
def test_patches_times_flat_weights_are_the_convolution():
    torch.manual_seed(0)
    layer = nn.Conv2d(3, 5, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2), bias=False)
    images = torch.rand(4, 3, 9, 8).contiguous(memory_format=torch.channels_last)
    expected = layer(images)
    products = as_rows(layer, images) @ layer.weight.flatten(1).T
    torch.testing.assert_close(products.reshape(4, *expected.shape[2:], 5).permute(0, 3, 1, 2), expected)


@pytest.mark.vouches("surgery/gpfq", paper="P174")
@pytest.mark.vouches("surgery/msq", paper="P174")
@pytest.mark.parametrize("plug", [gpfq, msq])
def test_a_network_keeps_few_values_a_layer_and_the_original_is_untouched(plug):
    network, images = conv_network(), torch.rand(64, 3, 8, 8)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    made = plug(network, bench(images), bits=2, scales=[1.0])
    for name in ("model.0", "model.3", "model.5"):
        radius = before[f"{name}.weight"].flatten(1).abs().amax(1).mean()
        grid = made.get_submodule(name).weight / (radius / 2)
        torch.testing.assert_close(grid, grid.round(), atol=1e-4, rtol=0)
        assert grid.abs().max() <= 2.001
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    kept = plug(network, bench(images), bits=2, scales=[1.0], keep_last=True)
    assert torch.equal(kept.model[5].weight, network.model[5].weight)


@pytest.mark.vouches("surgery/gpfq", paper="P174")
@pytest.mark.vouches("protocols/quantised", paper="P174")
def test_later_layers_make_up_for_the_activations_earlier_ones_spoilt():
    """The last layer is quantised against the inputs of the quantised network: refitting it to the analog ones does worse
    there.
    """
    network, images = conv_network(), torch.rand(200, 3, 8, 8)
    made = gpfq(network, bench(images), bits=1, images=200, scales=[1.0])
    x, y = (dict(layer_inputs(each, images))["model.5"].double() for each in (network, made))
    weights = network.model[5].weight.detach().double()
    radius = float(weights.abs().amax(1).mean())
    naive = greedy_path(weights, moments(x, x), radius, bits=1, sparsity="none", threshold=0.0)
    ours = made.model[5].weight.detach().double()
    torch.testing.assert_close(ours, greedy_path(weights, moments(x, y), radius, bits=1, sparsity="none", threshold=0.0))
    assert (y @ ours.T - x @ weights.T).norm() <= (y @ naive.T - x @ weights.T).norm()
    assert relative_error(network, made, images, -1) == pytest.approx(moments(x, y).relative_error(weights, ours), rel=1e-4)


@pytest.mark.vouches("surgery/gpfq", paper="P174")
@pytest.mark.vouches("surgery/msq", paper="P174")
@pytest.mark.parametrize("plug", [gpfq, msq])
def test_corrected_biases_restore_every_neurons_mean(plug):
    network, images = conv_network(), torch.rand(100, 3, 8, 8)
    made = plug(network, bench(images), bits=1, images=100, correct_bias=True)
    for name in ("model.0", "model.3", "model.5"):
        outputs = []
        for each in (network, made):
            values = dict(layer_inputs(each, images))[name]
            outputs.append(each.get_submodule(name)(values))
        axes = [axis for axis in range(outputs[0].ndim) if axis != 1]
        torch.testing.assert_close(outputs[1].mean(axes), outputs[0].mean(axes), atol=1e-4, rtol=1e-4)


@pytest.mark.vouches("surgery/gpfq", paper="P174")
def test_a_layer_without_bias_is_corrected_in_the_normalisation_after_it():
    torch.manual_seed(2)
    model = nn.Sequential(nn.Conv2d(3, 6, 3, bias=False), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten(), nn.Linear(216, 2))
    model[1].running_mean.uniform_(-0.2, 0.2)
    network, images = Network(model.eval(), torch.full((3,), 0.5), torch.full((3,), 0.3)), torch.rand(100, 3, 8, 8)
    made = gpfq(network, bench(images), bits=1, images=100, correct_bias=True)
    after = [each.model[:2](each.normalise(images)).mean((0, 2, 3)) for each in (network, made)]
    torch.testing.assert_close(after[1], after[0], atol=1e-4, rtol=1e-4)


@pytest.mark.vouches("surgery/gpfq", paper="P174")
def test_relative_square_error_falls_as_one_over_width_for_gpfq_and_not_for_rounding():
    """The paper's theorem on Gaussian data with a fixed number of samples: error of order m log(N) / N, so a slope near -1."""
    widths, slopes = torch.tensor([64.0, 128, 256, 512]), {}
    for name in ("gpfq", "msq"):
        errors = []
        for width in widths.int().tolist():
            generator = torch.Generator().manual_seed(width)
            x = torch.randn(16, width, dtype=torch.float64, generator=generator)
            weights = 2 * torch.rand(8, width, dtype=torch.float64, generator=generator) - 1
            given = moments(x, x)
            made = (
                greedy_path(weights, given, 1.0, bits=1, sparsity="none", threshold=0.0)
                if name == "gpfq"
                else nearest(weights, 1.0, 1)
            )
            errors.append(given.relative_error(weights, made))
        logs = torch.stack([widths.log().double(), torch.tensor(errors).log().double()])
        slopes[name] = float(torch.cov(logs)[0, 1] / torch.cov(logs)[0, 0])
    assert -1.4 < slopes["gpfq"] < -0.7
    assert abs(slopes["msq"]) < 0.35


def test_share_of_zeros_counts_changed_layers_only():
    network, images = conv_network(), torch.rand(64, 3, 8, 8)
    made = msq(network, bench(images), bits=1, scales=[1.0], keep_last=True)
    counted = torch.cat([made.model[0].weight.flatten(), made.model[3].weight.flatten()])
    assert zeros(network, made) == pytest.approx(float((counted == 0).float().mean()))
    assert F.cosine_similarity(made.model[3].weight.flatten(), network.model[3].weight.flatten(), dim=0) > 0.5
