"""Deconvnet: the gradient in which every ReLU passes positive gradients back, whether it was on or not.

"Visualizing and Understanding Convolutional Networks", Zeiler and Fergus 2014, with the network's own strides in place of
recorded pooling switches; a baseline of "Axiomatic Attribution for Deep Networks" (P223). captum does the work; ReLUs must be
modules.
"""

from captum.attr import Deconvolution
from torch import Tensor, nn

from assay.attributions._target import quiet


def deconvnet(network: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
    """Signed, same shape as images (B, C, H, W), for targets (B,)."""
    with quiet():
        return Deconvolution(network).attribute(images, targets).detach()
