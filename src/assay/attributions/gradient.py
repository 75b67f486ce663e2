"""The gradient of the target's logit in the image.

"Deep Inside Convolutional Networks: Visualising Image Classification Models and Saliency Maps", Simonyan et al. 2014; here signed
and by channel. The first baseline of "Axiomatic Attribution for Deep Networks" (P223), which shows that it breaks Sensitivity.
"""

from torch import Tensor, nn

from assay.attributions._target import target_gradient


def gradient(network: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
    """Signed, same shape as images (B, C, H, W), for targets (B,)."""
    return target_gradient(network, images, targets)
