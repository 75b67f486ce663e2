"""Grad-CAM: the last maps, each weighted by the mean gradient of the target's logit in it, summed and rectified.

"Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization" (P313), equations 1 and 2; enlarged bilinearly
to the image. Works on any network with maps before its classifier; nothing is retrained. Of a network of tokens the maps are
those of its patches.
"""

import torch
from torch import Tensor

from assay.attributions._target import before_classifier, channels_first, upsample
from assay.errors import StudyError
from assay.training.network import Network


def grad_cam(network: Network, images: Tensor, targets: Tensor, *, rectify: bool = True) -> Tensor:
    """Map (B, 1, H, W), not negative unless `rectify` is off, for targets (B,).

    Raises StudyError where no maps lie before the classifier, or where it reads none of them but a class token.
    """
    model = network.model
    last = before_classifier(network, images, "grad_cam")
    with torch.enable_grad():
        last.requires_grad_(True)
        logits = model.forward_head(last).gather(1, targets[:, None])
        (slopes,) = torch.autograd.grad(logits.sum(), last)
    maps, gradients = (channels_first(model, each, "grad_cam") for each in (last, slopes))
    if last.ndim == 3 and not gradients.any() and slopes.any():
        raise StudyError(
            f"attribution grad_cam: {type(model).__name__}'s classifier reads a class token alone; use one that averages patches"
        )
    heat = (gradients.mean((2, 3), keepdim=True) * maps).sum(1, keepdim=True).detach()
    return upsample(heat.relu() if rectify else heat, images)
