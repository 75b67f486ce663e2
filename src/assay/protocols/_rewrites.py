"""Networks with the same function but another implementation, and networks that saturate: what attribution axioms are tested on.

All are chains (`nn.Sequential`) of modules used once, which every attribution method, captum's included, can follow.
"""

import copy
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn

from assay.errors import StudyError
from assay.training.network import Network


def chain(network: Network) -> nn.Sequential:
    """The network as one chain, its input normalisation as a 1x1 convolution.

    Raises StudyError for models whose computation is not a chain of convolutions, ReLUs, pooling and linear layers.
    """
    stack = getattr(network.model, "stack", None)
    if not isinstance(stack, nn.Sequential) or any(isinstance(layer, nn.BatchNorm2d) for layer in stack):
        raise StudyError(
            f"protocol axioms: {type(network.model).__name__} is no plain chain; use model: {{allconv: {{norm: false}}}}"
        )
    scale = 1 / network.std.flatten()
    return nn.Sequential(pixelwise(scale, -network.mean.flatten() * scale), *copy.deepcopy(stack))


def pixelwise(scale: Tensor, shift: Tensor) -> nn.Conv2d:
    """The map x -> scale * x + shift, channel by channel, as a 1x1 convolution."""
    layer = nn.Conv2d(len(scale), len(scale), 1).to(scale)
    layer.weight.data = torch.diag(scale)[:, :, None, None].clone()
    layer.bias.data = shift.clone()
    return layer.requires_grad_(False)


def saturated(network: nn.Sequential, channels: int, level: float) -> nn.Sequential:
    """The network behind x -> 1 - ReLU(1 - x / level), the paper's saturation: flat where a pixel is brighter than level."""
    ones = torch.ones(channels).to(next(network.parameters()))
    return nn.Sequential(pixelwise(-ones / level, ones), nn.ReLU(), pixelwise(-ones, ones), *network)


def reordered(network: nn.Sequential) -> nn.Sequential:
    """The same function with excitation rectified before inhibition is taken off, in every layer between two ReLUs.

    ReLU(W h + b) = ReLU(ReLU(W+ h + b) - ReLU(W- h)) for h >= 0, where W = W+ - W- with no negative entries: the rewriting of
    the paper's figure 7, from ReLU(ReLU(x1) - 1 - ReLU(x2)) to ReLU(ReLU(x1 - 1) - ReLU(x2)).
    """
    return _with_inner_layers(network, _excitation_first)


def in_turn(network: nn.Sequential) -> nn.Sequential:
    """The same function with inhibition met by half of the inputs first and its rest by the others, in layers between two ReLUs.

    ReLU(p + q - n) = ReLU(ReLU(p - n) + ReLU(q - ReLU(n - p))) for p, q, n >= 0; p and q are what the two halves excite.
    """
    return _with_inner_layers(network, _halves_in_turn)


def _with_inner_layers(network: nn.Sequential, rewrite: Callable[[nn.Module], list[nn.Module]]) -> nn.Sequential:
    """The chain with `rewrite` applied to every layer whose input comes from a ReLU and whose output goes into one."""
    layers = list(network)
    result: list[nn.Module] = []
    for before, layer, after in zip([None, *layers], layers, [*layers[1:], None], strict=False):
        inner = isinstance(before, nn.ReLU) and isinstance(after, nn.ReLU) and isinstance(layer, nn.Conv2d | nn.Linear)
        result += rewrite(layer) if inner else [layer]
    return nn.Sequential(*result)


def _excitation_first(layer: nn.Conv2d | nn.Linear) -> list[nn.Module]:
    """The layer as [W+ h + b, W- h], ReLU, first minus second."""
    weight, bias = layer.weight, layer.bias
    both = _stacked(layer, [weight.clamp(min=0), (-weight).clamp(min=0)], [bias, torch.zeros_like(bias)])
    return [both, nn.ReLU(), _mixing(layer, [[1, -1]])]


def _halves_in_turn(layer: nn.Conv2d | nn.Linear) -> list[nn.Module]:
    """The layer as [p, q, n], then [p - n, n - p, q], then [p - n, q - (n - p)], then their sum, with ReLUs between."""
    excite, inhibit = layer.weight.clamp(min=0), (-layer.weight).clamp(min=0)
    first, second = excite.clone(), excite.clone()
    half = excite.shape[1] // 2
    first[:, half:], second[:, :half] = 0, 0
    biases = [layer.bias.clamp(min=0), torch.zeros_like(layer.bias), (-layer.bias).clamp(min=0)]
    parts = _stacked(layer, [first, second, inhibit], biases)
    met = _mixing(layer, [[1, 0, -1], [-1, 0, 1], [0, 1, 0]])
    rest = _mixing(layer, [[1, 0, 0], [0, -1, 1]])
    return [parts, nn.ReLU(), met, nn.ReLU(), rest, nn.ReLU(), _mixing(layer, [[1, 1]])]


def _stacked(layer: nn.Conv2d | nn.Linear, weights: list[Tensor], biases: list[Tensor]) -> nn.Module:
    """Layers of the same geometry side by side, their outputs one after the other."""
    stacked = _like(layer, layer.weight.shape[1], len(weights) * len(layer.weight))
    stacked.weight.data, stacked.bias.data = torch.cat(weights).detach(), torch.cat(biases).detach()
    return stacked.requires_grad_(False)


def _mixing(layer: nn.Conv2d | nn.Linear, matrix: list[list[int]]) -> nn.Module:
    """Sums and differences of blocks of channels, each as wide as the layer's output; one row of the matrix a block made."""
    weight = torch.kron(torch.tensor(matrix).to(layer.weight), torch.eye(len(layer.weight)).to(layer.weight))
    if isinstance(layer, nn.Linear):
        mixing = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    else:
        mixing = nn.Conv2d(weight.shape[1], weight.shape[0], 1, bias=False)
        weight = weight[:, :, None, None]
    mixing.weight.data = weight
    return mixing.requires_grad_(False)


def split(network: nn.Sequential, share: float = 3.0) -> nn.Sequential:
    """The same function with every hidden unit doubled; the copies' outgoing weights are `share` and 1 - share of its own."""
    layers = [copy.deepcopy(layer) for layer in network]
    places = [number for number, layer in enumerate(layers) if isinstance(layer, nn.Conv2d | nn.Linear)]
    for here, there in pairwise(places):
        if any(isinstance(layer, nn.ReLU) for layer in layers[here:there]):
            layers[here] = _doubled_outputs(layers[here])
            layers[there] = _shared_inputs(layers[there], share)
    return nn.Sequential(*layers)


def _doubled_outputs(layer: nn.Conv2d | nn.Linear) -> nn.Module:
    return _stacked(layer, [layer.weight, layer.weight], [layer.bias, layer.bias])


def _shared_inputs(layer: nn.Conv2d | nn.Linear, share: float) -> nn.Module:
    shared = _like(layer, 2 * layer.weight.shape[1], len(layer.weight))
    shared.weight.data = torch.cat([share * layer.weight, (1 - share) * layer.weight], dim=1)
    shared.bias.data = layer.bias.clone()
    return shared.requires_grad_(False)


def _like(layer: nn.Conv2d | nn.Linear, inputs: int, outputs: int) -> nn.Conv2d | nn.Linear:
    """A layer of the same geometry with other numbers of channels."""
    if isinstance(layer, nn.Linear):
        return nn.Linear(inputs, outputs).to(layer.weight)
    return nn.Conv2d(inputs, outputs, layer.kernel_size, layer.stride, layer.padding).to(layer.weight)


def inhibited(weights: Tensor) -> nn.Sequential:
    """ReLU(ReLU(a x1) - b - ReLU(c x2)) for weights (a, b, c), where the second feature only ever lowers the output."""
    a, b, c = weights
    first, second = nn.Linear(2, 2, bias=False), nn.Linear(2, 1)
    first.weight.data = torch.stack([torch.stack([a, 0 * a]), torch.stack([0 * c, c])])
    second.weight.data = torch.tensor([[1.0, -1.0]]).to(a)
    second.bias.data = -b.reshape(1)
    return nn.Sequential(first, nn.ReLU(), second, nn.ReLU()).requires_grad_(False)
