"""Layer-wise relevance propagation: each unit hands its relevance down in proportion to what each input contributed to it.

"On Pixel-Wise Explanations for Non-Linear Classifier Decisions by Layer-Wise Relevance Propagation", Bach et al. 2015, with the
basic rule z_ij / sum_i z_ij; biases take no share, so relevance is conserved and the examples of "Axiomatic Attribution for Deep
Networks" (P223), appendix B, come out as printed there. Relevance starts as the target's logit. captum does the work, on a copy;
it takes chains of convolutions, linear layers, average pooling and ReLU modules, each used once.
"""

import copy

import torch
from captum.attr import LRP
from captum.attr._utils.lrp_rules import EpsilonRule
from torch import Tensor, nn

from assay.attributions._target import quiet
from assay.errors import StudyError
from assay.training.network import Network

LINEAR = (nn.Conv2d, nn.Linear, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.Flatten)


class _WithoutBias(EpsilonRule):
    """The basic rule with the bias left out of the sum that contributions are divided by."""

    def _manipulate_weights(self, module: nn.Module, inputs: tuple, outputs: Tensor) -> None:
        if getattr(module, "bias", None) is not None:
            module.bias.data.zero_()


def lrp(network: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
    """Signed, same shape as images (B, C, H, W), for targets (B,). Raises StudyError for layers without a rule."""
    inputs, model = images, network
    if isinstance(network, Network):
        # A pixel's relevance is that of the pixel normalised.
        inputs, model = network.normalise(images), network.model
    model = copy.deepcopy(model)
    for layer in model.modules():
        if isinstance(layer, LINEAR):
            layer.rule = _WithoutBias()
        elif not isinstance(layer, nn.ReLU | nn.Dropout) and not list(layer.children()):
            raise StudyError(
                f"attribution lrp: no rule for layer {type(layer).__name__}; use a chain such as {{allconv: {{norm: false}}}}"
            )
    with quiet(), torch.enable_grad():
        return LRP(model).attribute(inputs.detach().clone(), targets).detach()
