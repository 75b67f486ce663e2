"""A residual network for small images that starts with max pooling and blurs where it subsamples.

"Making Convolutional Networks Shift-Invariant Again" (P244). Every operation of stride two becomes a dense one followed by a
binomial low-pass filter with stride two: max pooling (MaxBlurPool), strided convolutions after their activation (ConvBlurPool),
and, before the projections, the shortcuts. The filter is timm's BlurPool2d.
Deviations from the paper's ImageNet networks: a 3x3 stem without stride, narrow stages of one basic block, and borders
replicated instead of reflected under the filter, because a reflection by two pixels needs maps larger than 2 px.
"""

from typing import Annotated, Literal

from annotated_types import Ge
from torch import nn

from assay.models.resnet import resnet

from timm.layers import BlurPool2d  # isort: skip  (after the shim that resnet imports)


def blurpool_resnet(
    channels: int,
    classes: int,
    size: int,
    *,
    taps: Literal[1, 3, 5, 7] = 3,
    place: Literal["before", "after"] = "before",
    width: Annotated[int, Ge(2)] = 8,
) -> nn.Module:
    """Max pooling, then four stages of width, 2, 4 and 8 times the width; images (B, channels, size, size).

    taps: side of the filter, 1 for none (the plain strided network). place: the filter comes before the subsampling, as it must
    to stop aliasing, or after it, where it blurs as much but too late (a control). Arms share their initial weights.
    """
    model = resnet(channels, classes, size, width=width)
    model.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
    if taps == 1:
        return model
    antialias = _blur_before if place == "before" else _blur_after
    model.maxpool = antialias(model.maxpool, width, taps)
    for stage, inputs in ((model.layer2, width), (model.layer3, 2 * width), (model.layer4, 4 * width)):
        block = stage[0]
        block.aa = antialias(block.conv1, 2 * inputs, taps)[-1]
        block.downsample[0] = _blurred_shortcut(block.downsample[0], place, taps)
    return model


def _blur(channels: int, taps: int, stride: int) -> nn.Module:
    return BlurPool2d(channels, taps, stride, pad_mode="replicate")


def _blur_before(layer: nn.Module, channels: int, taps: int) -> nn.Sequential:
    """The layer made dense (in place), and the filter that subsamples its output."""
    layer.stride = 1 if isinstance(layer, nn.MaxPool2d) else (1, 1)
    return nn.Sequential(layer, _blur(channels, taps, stride=2))


def _blur_after(layer: nn.Module, channels: int, taps: int) -> nn.Sequential:
    """The layer with its stride, and a filter over what it left."""
    return nn.Sequential(layer, _blur(channels, taps, stride=1))


def _blurred_shortcut(projection: nn.Conv2d, place: str, taps: int) -> nn.Sequential:
    """A 1x1 projection whose input is blurred and subsampled, or whose subsampled output is blurred."""
    if place == "after":
        return nn.Sequential(projection, _blur(projection.out_channels, taps, stride=1))
    projection.stride = (1, 1)
    return nn.Sequential(_blur(projection.in_channels, taps, stride=2), projection)
