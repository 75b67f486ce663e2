"""The gradient of the target's logit times the image, less the baseline: its first-order change from baseline to image.

A baseline of "Axiomatic Attribution for Deep Networks" (P223), section 2.
"""

from torch import Tensor, nn

from assay.attributions._target import target_gradient


def gradient_x_input(network: nn.Module, images: Tensor, targets: Tensor, *, baseline: float = 0.0) -> Tensor:
    """Signed, same shape as images (B, C, H, W). baseline: pixel value that stands for nothing; a tensor is taken as it is."""
    return target_gradient(network, images, targets) * (images - baseline)
