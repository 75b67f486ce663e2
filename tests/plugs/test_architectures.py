"""Layers of the models as their papers and their files give them, one by one, and what they compute by torch's functions."""

import math
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from assay.models.allconv import AllConv
from assay.models.aps import APS, LargestPolyphase
from assay.models.convnet import ConvNet
from assay.models.discriminator import Discriminator
from assay.models.equalised import Equalised
from assay.models.generator import Generator
from assay.models.mlp import MLP
from assay.models.resnet import resnet
from assay.models.squeezed import Squeezed


def layers(model: nn.Module, *kinds: type) -> list[nn.Module]:
    return [module for module in model.modules() if isinstance(module, kinds)]


def convolutions(model: nn.Module) -> list[tuple]:
    """In and out channels, kernel, stride and padding of every convolution, in the order of the modules."""
    found = layers(model, nn.Conv2d, nn.ConvTranspose2d)
    assert all(len({*each.kernel_size}) == len({*each.stride}) == 1 for each in found)
    return [(each.in_channels, each.out_channels, each.kernel_size[0], each.stride[0], each.padding) for each in found]


def dense(model: nn.Module) -> list[tuple[int, int]]:
    return [(each.in_features, each.out_features) for each in layers(model, nn.Linear)]


def test_the_discriminator_is_dcgans():
    """4 x 4 kernels of stride 2 that double the channels down to 4 x 4 pixels; leaky ReLU of 0.2; no norm after the first."""
    model = Discriminator(3, 1, 32, width=4)
    assert convolutions(model) == [(3, 4, 4, 2, (1, 1)), (4, 8, 4, 2, (1, 1)), (8, 16, 4, 2, (1, 1))]
    order = [type(layer).__name__ for layer in model.layers]
    assert order == ["Conv2d", "LeakyReLU", *["Conv2d", "BatchNorm2d", "LeakyReLU"] * 2, "Flatten"]
    assert [layer.negative_slope for layer in layers(model, nn.LeakyReLU)] == [0.2] * 3
    assert [layer.num_features for layer in layers(model, nn.BatchNorm2d)] == [8, 16]
    assert [layer.bias is None for layer in layers(model, nn.Conv2d)] == [False, True, True]
    assert dense(model) == [(16 * 4 * 4, 1)]
    assert len(convolutions(Discriminator(3, 1, 8))) == 1
    assert Discriminator(1, 1, 16).layers[0].out_channels == 16


@pytest.mark.parametrize(
    ("up", "first", "block"),
    [("transposed", 4 * 16, (4, 2, (1, 1))), ("nearest", 4 * 16, (3, 1, (1, 1))), ("none", 4 * 256, (3, 1, (1, 1)))],
)
def test_generators_double_their_channels_with_every_halving_but_at_full_resolution(up, first, block):
    model = Generator(3, 10, 16, up=up, width=4, latents=6, extra=2)
    widths = [4, 4, 4] if up == "none" else [16, 8, 4]
    assert dense(model) == [(6, widths[0] * first // 4)]
    blocks = [(wide, narrow, *block) for wide, narrow in pairwise(widths)]
    assert convolutions(model) == [*blocks, *[(4, 4, 5, 1, (2, 2))] * 2, (4, 3, 3, 1, (1, 1))]
    assert [layer.num_features for layer in layers(model, nn.BatchNorm2d)] == widths
    assert len(layers(model, nn.ReLU)) == 3
    latents = torch.randn(8, 6)
    logits = model.eval().last(model.body(model.project(latents)))
    torch.testing.assert_close(model(latents), 1 / (1 + (-logits).exp()))


def test_convnet_by_torchs_functions():
    """Two convolutions that keep the size, each with ReLU and max pooling by 2, then a hidden layer."""
    torch.manual_seed(0)
    model = ConvNet(3, 5, 12, width=4, dense=7, kernel=3, drop_rate=0.25).eval()
    images = torch.rand(2, 3, 12, 12)
    assert [(each.in_channels, each.out_channels) for each in layers(model, nn.Conv2d)] == [(3, 4), (4, 8)]
    maps = images
    for layer in (model.conv1, model.conv2):
        maps = F.max_pool2d(F.relu(F.conv2d(maps, layer.weight, layer.bias, padding=1)), 2)
    torch.testing.assert_close(model.forward_features(images), maps)
    hidden = F.relu(F.linear(maps.flatten(1), model.dense.weight, model.dense.bias))
    torch.testing.assert_close(model.forward_head(maps, pre_logits=True), hidden)
    torch.testing.assert_close(model(images), F.linear(hidden, model.fc.weight, model.fc.bias))
    assert dense(model) == [(8 * 3 * 3, 7), (7, 5)]
    assert [layer.p for layer in layers(model, nn.Dropout)] == [0.25]
    torch.manual_seed(1)
    noisy = model.train()(images)
    torch.manual_seed(1)
    torch.testing.assert_close(noisy, model.fc(F.dropout(hidden, 0.25)))
    usual = ConvNet(1, 10, 28)
    assert convolutions(usual) == [(1, 16, 5, 1, "same"), (16, 32, 5, 1, "same")]
    assert dense(usual) == [(32 * 7 * 7, 128), (128, 10)]


def test_mlp_by_torchs_functions():
    torch.manual_seed(0)
    model = MLP(3, 4, 5, width=6, hidden=3, drop_rate=0.5).eval()
    assert dense(model) == [(75, 6), (6, 6), (6, 6), (6, 4)]
    assert [layer.p for layer in layers(model, nn.Dropout)] == [0.5] * 3
    values = images = torch.rand(2, 3, 5, 5)
    values = values.flatten(1)
    for layer in layers(model, nn.Linear)[:3]:
        values = F.relu(F.linear(values, layer.weight, layer.bias))
    torch.testing.assert_close(model.forward_head(model.forward_features(images), pre_logits=True), values)
    torch.testing.assert_close(model(images), F.linear(values, model.fc.weight, model.fc.bias))
    assert dense(MLP(1, 2, 4)) == [(16, 128), (128, 128), (128, 2)]


@pytest.mark.parametrize("blocks", [1, 2])
def test_the_residual_network_is_cifars(blocks):
    """A 3 x 3 stem without stride or pooling; four stages, the last three of stride 2, with a projection where sizes change."""
    model = resnet(3, 10, 16, width=4, blocks=blocks)
    expected = [(3, 4, 3, 1, (1, 1))]
    wide = 4
    for stage, narrow in enumerate((4, 8, 16, 32)):
        for block in range(blocks):
            stride = 2 if stage and not block else 1
            expected += [(wide, narrow, 3, stride, (1, 1)), (narrow, narrow, 3, 1, (1, 1))]
            expected += [(wide, narrow, 1, 2, (0, 0))] if stride == 2 else []
            wide = narrow
    assert convolutions(model) == expected
    assert isinstance(model.maxpool, nn.Identity)
    assert dense(model) == [(32, 10)]
    assert all(layer.weight.eq(1).all() for layer in layers(model, nn.BatchNorm2d))  # the last one of a block too
    assert model.forward_features(torch.rand(2, 3, 16, 16)).shape == (2, 32, 2, 2)


def test_the_usual_residual_network_has_78_thousand_parameters():
    assert round(sum(each.numel() for each in resnet(3, 10, 16).parameters()), -3) == 78_000


def test_the_all_convolutional_network_has_four_pairs_and_averages_its_maps():
    model = AllConv(3, 5, 12, width=2, norm=False).eval()
    images = torch.rand(2, 3, 12, 12)
    assert all(each.kernel_size == (3, 3) and each.padding == (1, 1) for each in layers(model, nn.Conv2d))
    assert not layers(model, nn.BatchNorm2d)
    norms = layers(AllConv(3, 5, 12, width=2), nn.BatchNorm2d)
    assert [layer.num_features for layer in norms] == [2, 4, 8, 8]
    pooled = model.forward_features(images).mean((2, 3))
    torch.testing.assert_close(model.forward_head(model.forward_features(images), pre_logits=True), pooled)


def test_adaptive_sampling_halves_after_the_second_and_the_third_convolution():
    torch.manual_seed(0)
    model = APS(3, 5, 16, width=16)
    assert convolutions(model) == [(a, b, 3, 1, (1, 1)) for a, b in ((3, 16), (16, 32), (32, 64), (64, 64))]
    assert all(layer.padding_mode == "circular" and layer.bias is None for layer in layers(model, nn.Conv2d))
    assert [len(layers(block, LargestPolyphase)) for block in model.stack] == [0, 1, 1, 0]
    assert dense(model) == [(64, 5)]
    for layer in layers(model, nn.Conv2d)[1:]:  # He's initialisation, by what a unit sees
        assert layer.weight.std().item() == pytest.approx(math.sqrt(2 / (9 * layer.in_channels)), rel=0.05)
    features = model.eval().forward_features(torch.rand(2, 3, 16, 16))
    assert features.shape == (2, 64, 4, 4)
    torch.testing.assert_close(model.forward_head(features, pre_logits=True), features.mean((2, 3)))


def test_what_is_behind_an_equalisation_sees_values_of_mean_zero_and_deviation_one():
    seen = Equalised(3, 10, 32, of=MLP).view(torch.rand(4, 3, 32, 32) ** 3)
    assert seen.mean().item() == pytest.approx(0, abs=2e-3)
    assert seen.std().item() == pytest.approx(1, abs=2e-3)


def test_what_is_behind_a_squeezing_sees_values_about_zero():
    model = Squeezed(1, 10, 16, of=MLP, bits=2)
    levels = torch.tensor([0.0, 0.16, 0.17, 0.5001, 0.84, 1.0]).reshape(1, 1, 1, 6)
    torch.testing.assert_close(model.view(levels).flatten(), torch.tensor([0, 0, 1, 2, 3, 3]) / 3 - 0.5)
    mean, spread = model.start_pretrained()
    assert (mean.tolist(), spread.tolist()) == ([0.0], [1.0])
