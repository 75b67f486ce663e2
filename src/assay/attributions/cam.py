"""Class activation mapping: the last maps weighted by the linear classifier's weights of the target.

"Learning Deep Features for Discriminative Localization", Zhou et al. 2016; it needs a network whose classifier is linear in the
spatial averages of its last maps. A baseline of "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
Localization" (P313), which generalises it: on such networks the two are equal up to the number of places in a map.
"""

import torch
from torch import Tensor, nn

from assay.attributions._target import before_classifier, channels_first, upsample
from assay.errors import StudyError
from assay.training.network import Network


def cam(network: Network, images: Tensor, targets: Tensor) -> Tensor:
    """Signed map (B, 1, H, W) for targets (B,).

    Raises StudyError where the logits are not those of a linear layer on the maps' averages.
    """
    model = network.model
    last = before_classifier(network, images, "cam")
    maps = channels_first(model, last, "cam")
    linear = [module for module in model.modules() if isinstance(module, nn.Linear)]
    if not linear or linear[-1].in_features != maps.shape[1] or not _is_linear(model, last, maps, linear[-1]):
        raise StudyError(
            f"attribution cam: {type(model).__name__} has no linear classifier on averaged maps; use one such as allconv"
        )
    return upsample((linear[-1].weight[targets][:, :, None, None] * maps).sum(1, keepdim=True).detach(), images)


@torch.no_grad()
def _is_linear(model: nn.Module, last: Tensor, maps: Tensor, classifier: nn.Linear) -> bool:
    """Whether the model's logits are those of the layer on the maps' averages: no other layer, such as a norm, lies between."""
    logits = model.forward_head(last)
    return logits.shape[1] == classifier.out_features and torch.allclose(classifier(maps.mean((2, 3))), logits, 1e-3, 1e-4)
