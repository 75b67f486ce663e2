"""Folded networks answer as before; what cannot be folded is left as it is."""

import pytest
import torch
from torch import nn

from assay.scorecard.folding import fold
from assay.training import shim  # noqa: F401  (before timm)

from timm import create_model  # isort: skip


def stirred(model: nn.Module) -> nn.Module:
    """With statistics and scales that do something."""
    generator = torch.Generator().manual_seed(0)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.running_var, module.weight.data):
                tensor.uniform_(0.5, 2, generator=generator)
            for tensor in (module.running_mean, module.bias.data):
                tensor.normal_(0, 0.3, generator=generator)
    return model.eval().requires_grad_(False)


def images() -> torch.Tensor:
    return torch.rand(2, 3, 40, 40, generator=torch.Generator().manual_seed(1))


def norms(model: nn.Module) -> int:
    return sum(isinstance(module, nn.BatchNorm2d) for module in model.modules())


@pytest.mark.parametrize("name", ["resnet18", "tf_efficientnet_lite0", "mobilenetv3_small_050"])
def test_all_of_a_convolutional_network_is_folded_and_its_answers_and_gradients_stay(name):
    torch.manual_seed(0)
    model = stirred(create_model(name, num_classes=7))
    shown, count = images().requires_grad_(), norms(model)
    before = model(shown)
    (slope,) = torch.autograd.grad(before.square().sum(), shown)
    assert fold(model, images()) == count
    assert norms(model) == 0
    after = model(shown)
    assert torch.allclose(after, before, rtol=1e-3, atol=1e-4 * float(before.detach().abs().max()))
    (again,) = torch.autograd.grad(after.square().sum(), shown)
    assert float((again - slope).norm() / slope.norm()) < 1e-3


class Pair(nn.Module):
    """A convolution and a normalisation, put together in a way."""

    def __init__(self, way):
        super().__init__()
        self.convolution, self.norm, self.way = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), way

    def forward(self, shown):
        return self.way(self, shown).mean((2, 3))


def test_what_a_convolution_gives_may_be_changed_in_place():
    model = stirred(Pair(lambda self, shown: self.norm(self.convolution(shown)).relu_()))
    assert fold(model, images()) == 1


WAYS = {
    "used beside the normalisation": lambda self, shown: (kept := self.convolution(shown)) + self.norm(kept),
    "normalised twice": lambda self, shown: self.norm(self.norm(self.convolution(shown))),
    "convolved twice": lambda self, shown: self.norm(self.convolution(shown)) + self.convolution(shown).abs(),
    "something between": lambda self, shown: self.norm(self.convolution(shown).relu()),
    "weights looked at": lambda self, shown: self.norm(self.convolution(shown)) * self.norm.weight.sum(),
}


@pytest.mark.parametrize("way", WAYS)
def test_what_would_change_the_answers_is_left_alone(way):
    model = stirred(Pair(WAYS[way]))
    before = model(images())
    assert fold(model, images()) == 0
    assert torch.equal(model(images()), before)


def test_weights_that_are_made_anew_at_each_pass_are_left_alone():
    model = stirred(Pair(lambda self, shown: self.norm(self.convolution(shown))))
    nn.utils.parametrizations.weight_norm(model.convolution)
    assert fold(model, images()) == 0
    hooked = stirred(Pair(lambda self, shown: self.norm(self.convolution(shown))))
    hooked.norm.register_forward_hook(lambda module, inputs, output: output + 1)
    assert fold(hooked, images()) == 0
