"""Grad-CAM: the last maps, each weighted by the mean gradient of the target's logit in it, summed and rectified.

"Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization" (P313), equations 1 and 2; enlarged bilinearly
to the image. Works on any network with maps before its classifier; nothing is retrained.
"""

import torch
from torch import Tensor

from assay.attributions._target import upsample
from assay.training.network import Network


def grad_cam(network: Network, images: Tensor, targets: Tensor, *, rectify: bool = True) -> Tensor:
    """Map (B, 1, H, W), not negative unless `rectify` is off, for targets (B,)."""
    maps = network.model.forward_features(network.normalise(images)).detach()
    with torch.enable_grad():
        maps.requires_grad_(True)
        logits = network.model.forward_head(maps).gather(1, targets[:, None])
        (gradients,) = torch.autograd.grad(logits.sum(), maps)
    weights = gradients.mean((2, 3), keepdim=True)
    heat = (weights * maps).sum(1, keepdim=True).detach()
    return upsample(heat.relu() if rectify else heat, images)
