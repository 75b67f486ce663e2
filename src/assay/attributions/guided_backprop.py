"""Guided backpropagation: the gradient in which every ReLU also stops negative gradients.

"Striving for Simplicity: The All Convolutional Net", Springenberg et al. 2015; a baseline of "Axiomatic Attribution for Deep
Networks" (P223) and of "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization" (P313). captum does the
work; ReLUs must be modules (`nn.ReLU`), one for each place.
"""

from captum.attr import GuidedBackprop
from torch import Tensor, nn

from assay.attributions._target import quiet


def guided_backprop(network: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
    """Signed, same shape as images (B, C, H, W), for targets (B,)."""
    with quiet():
        return GuidedBackprop(network).attribute(images, targets).detach()
