"""The small residual network with stochastic depth: blocks are left out at random while it trains.

"Deep Networks with Stochastic Depth", Huang et al. 2016; it stands for the regularisers that act inside the network in "An
Empirical Evaluation on Robustness and Uncertainty of Regularization Methods" (P238), there ShakeDrop, which is made for far
deeper networks. Block l of L is left out, for each image by itself, with chance l / L times that of the last; where it is kept
its output grows so that its mean stays (the paper scales at test time instead).
"""

from typing import Annotated

from annotated_types import Ge, Lt
from torch import nn

from assay.models.resnet import resnet

from timm.layers import DropPath  # isort: skip  (after the shim that resnet imports)


def stochastic_depth(
    channels: int,
    classes: int,
    size: int,
    *,
    width: Annotated[int, Ge(2)] = 8,
    blocks: Annotated[int, Ge(1)] = 1,
    drop: Annotated[float, Ge(0), Lt(1)] = 0.5,
) -> nn.Module:
    """models/resnet; images (B, channels, size, size). drop: chance that the last block is left out."""
    model = resnet(channels, classes, size, width=width, blocks=blocks)
    chain = [block for stage in (model.layer1, model.layer2, model.layer3, model.layer4) for block in stage]
    for number, block in enumerate(chain, 1):
        block.drop_path = DropPath(drop * number / len(chain))
    return model
