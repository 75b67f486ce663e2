"""SmoothGrad: the gradient of the target's logit, averaged over copies of the image with normal noise.

"SmoothGrad: removing noise by adding noise", Smilkov et al. 2017. The noise's deviation is a share of the image's own range, as
there (10% to 20%); signed and by channel, so that what is shown may take absolute values. A gradient-based map beside those of
"How explainable are adversarially-robust CNNs?" (P288).
"""

from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor, nn

from assay.attributions._target import target_gradient
from assay.data.seeds import seed_of


def smoothgrad(
    network: nn.Module,
    images: Tensor,
    targets: Tensor,
    *,
    deviation: Annotated[float, Ge(0)] = 0.15,
    samples: Annotated[int, Ge(1)] = 16,
) -> Tensor:
    """Same shape as images (B, C, H, W), for targets (B,). deviation: in units of an image's largest less its smallest value.

    The noise is the same for every image of a shape, so a map can be repeated and depends on no other image.
    """
    generator = torch.Generator(images.device).manual_seed(seed_of("smoothgrad"))
    spread = deviation * (images.flatten(1).amax(1) - images.flatten(1).amin(1)).reshape(-1, 1, 1, 1)
    total = torch.zeros_like(images)
    for _ in range(samples):
        noise = torch.randn(images.shape[1:], generator=generator, device=images.device, dtype=images.dtype)
        total = total + target_gradient(network, images + spread * noise, targets)
    return total / samples
