"""A residual network for small images: timm's ResNet with a 3x3 stem that keeps the resolution.

"Deep Residual Learning for Image Recognition", He et al. 2016, the basic-block variant. The stem follows the authors'
CIFAR networks (3x3, stride 1, no pooling); stages halve the resolution, so 16 px images end at 2 px.
With the default width 8 and one block a stage it has 78k parameters.
"""

from typing import Annotated

from annotated_types import Ge
from torch import nn

from assay.training import shim  # noqa: F401  (before timm)

# isort: split
from timm.models.resnet import BasicBlock, ResNet


def resnet(
    channels: int, classes: int, size: int, *, width: Annotated[int, Ge(2)] = 8, blocks: Annotated[int, Ge(1)] = 1
) -> nn.Module:
    """Stages of width, 2, 4 and 8 times the width with `blocks` basic blocks each; images (B, channels, size, size)."""
    model = ResNet(
        BasicBlock,
        layers=(blocks,) * 4,
        channels=tuple(width * factor for factor in (1, 2, 4, 8)),
        # Only for this stem does timm tie the first stage's input width to stem_width; its layers are replaced below.
        stem_type="deep",
        stem_width=width // 2,
        num_classes=classes,
        in_chans=channels,
        zero_init_last=False,
    )
    model.conv1 = nn.Conv2d(channels, width, 3, padding=1, bias=False)
    model.maxpool = nn.Identity()
    return model
