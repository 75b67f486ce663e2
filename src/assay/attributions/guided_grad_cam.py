"""Guided Grad-CAM: guided backpropagation times Grad-CAM, so that fine detail is kept where the class is.

"Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization" (P313), section 3.2: the pointwise product with
the enlarged, rectified map.
"""

from torch import Tensor

from assay.attributions.grad_cam import grad_cam
from assay.attributions.guided_backprop import guided_backprop
from assay.training.network import Network


def guided_grad_cam(network: Network, images: Tensor, targets: Tensor) -> Tensor:
    """Signed, same shape as images (B, C, H, W), for targets (B,)."""
    return guided_backprop(network, images, targets) * grad_cam(network, images, targets)
