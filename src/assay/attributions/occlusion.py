"""Occlusion: how much the target's logit drops when a grey patch covers the place, averaged over the patches that do.

"Visualizing and Understanding Convolutional Networks", Zeiler and Fergus 2014; the faithful but slow map against which "Grad-CAM:
Visual Explanations from Deep Networks via Gradient-based Localization" (P313) ranks the others. captum does the work.
"""

from typing import Annotated

import torch
from annotated_types import Ge
from captum.attr import Occlusion
from torch import Tensor, nn


@torch.no_grad()
def occlusion(
    network: nn.Module,
    images: Tensor,
    targets: Tensor,
    *,
    window: Annotated[int, Ge(1)] = 4,
    stride: Annotated[int, Ge(1)] = 2,
    fill: float = 0.5,
) -> Tensor:
    """Signed map (B, 1, H, W). window, stride: side and step of the patch in pixels; fill: its value in [0, 1]."""
    channels = images.shape[1]
    maps = Occlusion(network).attribute(
        images, (channels, window, window), (channels, stride, stride), baselines=fill, target=targets
    )
    return maps[:, :1]
