"""The filters of a network's first convolution, to be looked at."""

from torch import Tensor, nn


def first_filters(network: nn.Module) -> Tensor | None:
    """Weights (O, C, k, k) of the first convolution that sees one or three channels; None if there is no such layer."""
    convolutions = (module for module in network.modules() if isinstance(module, nn.Conv2d))
    return next((layer.weight.detach() for layer in convolutions if layer.weight.shape[1] in (1, 3)), None)
