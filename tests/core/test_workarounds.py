"""Detours compute what they replace."""

import copy

import pytest
import torch
from torch import nn

from assay.training.workarounds import spare_narrow_pointwise


@pytest.mark.parametrize("stride", [2, (2, 3)])
@pytest.mark.parametrize("channels", [1, 4, 7])
def test_a_narrow_strided_pointwise_convolution_computes_the_same_without_its_stride(stride, channels):
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Conv2d(channels, 8, 1, stride)).double()
    spared = copy.deepcopy(plain)
    spare_narrow_pointwise(spared)
    spared = copy.deepcopy(spared)
    images = torch.rand(4, channels, 11, 16, dtype=torch.float64)
    assert spared[0].stride == (1, 1)
    torch.testing.assert_close(spared(images), plain(images))
    spared(images).square().sum().backward()
    plain(images).square().sum().backward()
    torch.testing.assert_close(spared[0].weight.grad, plain[0].weight.grad)


@pytest.mark.parametrize("convolution", [nn.Conv2d(8, 8, 1, 2), nn.Conv2d(4, 8, 3, 2, padding=1), nn.Conv2d(4, 8, 1)])
def test_other_convolutions_are_left_alone(convolution):
    stride = convolution.stride
    spare_narrow_pointwise(nn.Sequential(convolution))
    assert convolution.stride == stride
    assert not convolution._forward_pre_hooks
