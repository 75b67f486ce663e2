"""Shared by the quantisers: uniform alphabets, and a walk over a network's layers with the inputs of both networks at each.

"Post-training Quantization for Neural Networks with Provable Guarantees" (P174), the setting of its algorithm and of its
baseline.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from assay.errors import StudyError
from assay.training.network import Bench, Network

PATCHES = 4096  # rows of a convolution's input kept at most, drawn at random; small networks have fan-ins of a few hundred


@dataclass(frozen=True)
class Moments:
    """What quantisation needs of a layer's inputs X (analog network) and Y (network being quantised), each (rows, fan_in).

    cross: Y'X, own: Y'Y, analog: X'X, each (fan_in, fan_in) in double precision.
    """

    cross: Tensor
    own: Tensor
    analog: Tensor

    def relative_error(self, weights: Tensor, quantised: Tensor) -> float:
        """||X W' - Y Q'||^2 / ||X W'||^2 in the Frobenius norm, weights and quantised (neurons, fan_in)."""
        target = ((weights @ self.analog) * weights).sum()
        mixed = ((quantised @ self.cross) * weights).sum()
        made = ((quantised @ self.own) * quantised).sum()
        return float((target - 2 * mixed + made) / target)


Rounding = Callable[[Tensor, Moments, Tensor], Tensor]
"""(weights (neurons, fan_in), moments, radius of each neuron's alphabet (neurons,)) -> quantised weights."""


def levels(bits: int) -> int:
    """K of the alphabet {0, +-1, ..., +-K} times the step: 2^(bits - 1), as the paper counts bits; 1 bit is ternary."""
    return 2 ** (bits - 1)


def nearest(values: Tensor, step: float | Tensor, bits: int) -> Tensor:
    """Round to the nearest of {0, +-step, ..., +-K step}."""
    return step * (values / step).round().clamp(-levels(bits), levels(bits))


def quantise_layers(
    network: Network,
    bench: Bench,
    rounding: Rounding,
    *,
    scales: list[float],
    images: Tensor,
    keep_last: bool,
    correct_bias: bool,
) -> Network:
    """A copy of the network whose convolutions and linear layers are rounded one after the other, in the order they compute.

    The alphabet's radius in a layer is a constant times the mean over neurons of their largest absolute weight. scales:
    constants to try; the one with the least error of the layer's outputs is taken (the paper tries several constants on the
    whole network). keep_last: leave the classifier as it is. correct_bias: shift each neuron so that its mean output is the
    analog network's.
    """
    if not scales or min(scales) <= 0:
        raise StudyError(f"quantisation: scales {scales} is not allowed; give at least one number above 0")
    analog, quantised = deepcopy(network).eval(), deepcopy(network).eval()
    names = [name for name, _ in layer_inputs(analog, images[:1])]
    found, norms = dict(layer_inputs(analog, images)), following_norms(analog, images[:1])
    for name in names[:-1] if keep_last else names:
        ours, theirs = quantised.get_submodule(name), analog.get_submodule(name)
        x, y = rows(theirs, found[name], input_of(quantised, ours, images), bench.generator)
        moments = Moments(y.T @ x, y.T @ y, x.T @ x)
        weights = theirs.weight.detach().flatten(1).double()
        best = min(_round_with(rounding, weights, moments, scales), key=partial(moments.relative_error, weights))
        ours.weight.data.copy_(best.reshape(ours.weight.shape))
        if correct_bias:
            norm = quantised.get_submodule(norms[name]) if name in norms else None
            _shift_outputs(ours, norm, x.mean(0) @ weights.T - y.mean(0) @ best.T)
    return quantised


def _round_with(rounding: Rounding, weights: Tensor, moments: Moments, scales: list[float]) -> Iterable[Tensor]:
    """The weights rounded with each scale; all scales at once, as so many more neurons, since rounding goes feature by
    feature.
    """
    radius = weights.abs().amax(1).mean() * torch.tensor(scales, dtype=weights.dtype, device=weights.device)
    rounded = rounding(weights.repeat(len(scales), 1), moments, radius.repeat_interleave(len(weights)))
    return rounded.split(len(weights))


class _ReachedError(Exception):
    """Raised to stop a forward pass where its rest is not needed."""


@torch.no_grad()
def input_of(network: Network, layer: nn.Module, images: Tensor) -> Tensor:
    """The input of one layer; nothing after it is computed."""
    seen = []

    def stop(module: nn.Module, inputs: tuple) -> None:
        seen.append(inputs[0])
        raise _ReachedError

    with layer.register_forward_pre_hook(stop), contextlib.suppress(_ReachedError):
        network(images)
    return seen[0]


@torch.no_grad()
def layer_inputs(network: Network, images: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Names and inputs of all convolutions and linear layers, in the order in which they compute."""
    seen: list[tuple[str, Tensor]] = []
    handles = [
        module.register_forward_pre_hook(lambda module, inputs, name=name: seen.append((name, inputs[0].detach())))
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear)
    ]
    try:
        network(images)
    finally:
        for handle in handles:
            handle.remove()
    yield from seen


def rows(layer: nn.Module, analog: Tensor, own: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """The two inputs of a layer as rows (samples, fan_in) in double precision; a convolution's rows are its patches
    (im2col).
    """
    x, y = (as_rows(layer, values) for values in (analog, own))
    if len(x) > PATCHES:
        kept = torch.randperm(len(x), generator=generator, device=x.device)[:PATCHES]
        x, y = x[kept], y[kept]
    return x.double(), y.double()


def as_rows(layer: nn.Module, inputs: Tensor) -> Tensor:
    """A layer's input as a matrix whose product with the flattened weights is the layer's output, one row a position."""
    if isinstance(layer, nn.Linear):
        return inputs.flatten(0, -2)
    if layer.groups != 1 or isinstance(layer.padding, str) or layer.padding_mode != "zeros":
        raise StudyError(
            f"quantisation: {layer} is not supported; it handles ungrouped, zero-padded convolutions and linear layers"
        )
    unfold = nn.Unfold(layer.kernel_size, layer.dilation, layer.padding, layer.stride)
    return unfold(inputs.contiguous()).transpose(1, 2).flatten(0, 1)


def _shift_outputs(layer: nn.Module, norm: nn.Module | None, shift: Tensor) -> None:
    """Add to the layer's bias or, where it has none, take from the running mean of the batch normalisation that follows it."""
    if layer.bias is not None:
        layer.bias.data += shift.to(layer.bias.dtype)
    elif norm is not None:
        norm.running_mean -= shift.to(norm.running_mean.dtype)


@torch.no_grad()
def following_norms(network: Network, images: Tensor) -> dict[str, str]:
    """For each layer whose output goes straight into a batch normalisation, the name of the latter."""
    outputs: dict[int, tuple[str, Tensor]] = {}
    found: dict[str, str] = {}

    def note(module: nn.Module, inputs: tuple, output: Tensor, name: str) -> None:
        if isinstance(module, nn.BatchNorm2d):
            if id(inputs[0]) in outputs:
                found[outputs[id(inputs[0])][0]] = name
        else:
            outputs[id(output)] = (name, output)  # kept, so that no other tensor gets its id

    kinds = nn.Conv2d | nn.Linear | nn.BatchNorm2d
    handles = [m.register_forward_hook(partial(note, name=name)) for name, m in network.named_modules() if isinstance(m, kinds)]
    try:
        network(images)
    finally:
        for handle in handles:
            handle.remove()
    return found


def calibration_images(bench: Bench, count: int, kind: str) -> Tensor:
    """Training images drawn at random; "shuffled": every pixel's values permuted over these images, so that each keeps its
    distribution and loses its relation to all others."""
    images = bench.world.train.images
    drawn = images[torch.randperm(len(images), generator=bench.generator, device=images.device)[:count]]
    if kind == "data":
        return drawn
    flat = drawn.flatten(1)
    order = torch.rand(flat.shape, generator=bench.generator, device=flat.device).argsort(0)
    return flat.gather(0, order).reshape(drawn.shape)
