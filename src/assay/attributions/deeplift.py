"""DeepLIFT with the rescale rule: differences from a baseline, propagated through every ReLU by its chord instead of its slope.

"Learning Important Features Through Propagating Activation Differences", Shrikumar et al. 2017; the paper "Axiomatic Attribution
for Deep Networks" (P223) shows that it breaks Implementation Invariance. captum does the work; it follows modules (`nn.ReLU`, one
for each place) and treats everything else as linear.
"""

import torch
from captum.attr import DeepLift
from torch import Tensor, nn

from assay.attributions._target import quiet


def deeplift(network: nn.Module, images: Tensor, targets: Tensor, *, baseline: float = 0.0) -> Tensor:
    """Signed, same shape as images (B, C, H, W). baseline: pixel value that stands for nothing; a tensor is taken as it is."""
    baselines = torch.as_tensor(baseline, dtype=images.dtype, device=images.device).expand_as(images).contiguous()
    with quiet():
        return DeepLift(network).attribute(images, baselines, targets).detach()
