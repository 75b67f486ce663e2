"""Class activation mapping: the last maps weighted by the linear classifier's weights of the target.

"Learning Deep Features for Discriminative Localization", Zhou et al. 2016; it needs a network whose classifier is linear in the
spatial averages of its last maps. A baseline of "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
Localization" (P313), which generalises it: on such networks the two are equal up to the number of places in a map.
"""

from torch import Tensor, nn

from assay.attributions._target import upsample
from assay.errors import StudyError
from assay.training.network import Network


def cam(network: Network, images: Tensor, targets: Tensor) -> Tensor:
    """Signed map (B, 1, H, W) for targets (B,).

    Raises StudyError where the last module is no linear layer on the maps' channels.
    """
    maps = network.model.forward_features(network.normalise(images)).detach()
    linear = [module for module in network.model.modules() if isinstance(module, nn.Linear)]
    if not linear or maps.ndim != 4 or linear[-1].in_features != maps.shape[1]:
        raise StudyError(
            f"attribution cam: {type(network.model).__name__} has no linear classifier on averaged maps; use one such as allconv"
        )
    return upsample((linear[-1].weight[targets][:, :, None, None] * maps).sum(1, keepdim=True).detach(), images)
