"""GPFQ, greedy path-following quantisation: each weight is rounded so as to make up for the errors of those rounded before it.

"Post-training Quantization for Neural Networks with Provable Guarantees" (P174). For a neuron with weights w, inputs X of the
analog network and Y of the network quantised so far (columns are input features): u_0 = 0; q_t = Q(<Y_t, u_{t-1} + w_t X_t> /
||Y_t||^2); u_t = u_{t-1} + w_t X_t - q_t Y_t. Q rounds to {0, +-step, ..., +-K step}, K = 2^(bits - 1), radius K step a
constant times the mean over neurons of the largest absolute weight. Layers are quantised in order. Sparse GPFQ: soft
thresholding rounds s(z) = sign(z) max(|z| - threshold, 0); hard thresholding sets |z| <= threshold to 0 and uses the alphabet
{0, +-(threshold + k step)}. Convolutions are matrices over patches.

The residual is carried as its products with Y: <Y_t, u_{t-1}> = sum_{s<t} (w_s <Y_t, X_s> - q_s <Y_t, Y_s>), the same numbers
from fan_in x fan_in matrices. Simplified: the constant is chosen for each layer by the error of its outputs, not once for the
network by its accuracy; the threshold is a share of the alphabet's radius instead of an absolute number; batch normalisation is
not folded in.
"""

from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt, Lt, MinLen
from torch import Tensor

from assay.surgery._layers import Moments, calibration_images, levels, nearest, quantise_layers
from assay.training.network import Bench, Network


def gpfq(
    network: Network,
    bench: Bench,
    *,
    bits: Annotated[int, Ge(1)] = 2,
    scales: Annotated[list[Annotated[float, Gt(0)]], MinLen(1)] = [0.5, 0.75, 1.0, 1.5],  # noqa: B006  (read, never altered)
    sparsity: Literal["none", "soft", "hard"] = "none",
    threshold: Annotated[float, Ge(0), Lt(1)] = 0.0,
    images: Annotated[int, Ge(1)] = 128,
    calibrate_on: Literal["data", "shuffled"] = "data",
    keep_last: bool = False,
    correct_bias: bool = False,
) -> Network:
    """The network with quantised weights. threshold: share of the alphabet's radius. images: how many training images are used.

    calibrate_on: "shuffled" permutes every pixel over the images, the control for what their structure brings.
    """

    def rounding(weights: Tensor, moments: Moments, radius: Tensor) -> Tensor:
        return greedy_path(weights, moments, radius, bits=bits, sparsity=sparsity, threshold=threshold * radius)

    drawn = calibration_images(bench, images, calibrate_on)
    return quantise_layers(network, bench, rounding, scales=scales, images=drawn, keep_last=keep_last, correct_bias=correct_bias)


def greedy_path(
    weights: Tensor, moments: Moments, radius: float | Tensor, *, bits: int, sparsity: str, threshold: float | Tensor
) -> Tensor:
    """Quantised weights (neurons, fan_in), one column after the other; a feature that is always 0 gets weight 0."""
    # Row t of triu(cross') sums over s <= t: the analog part of the residual's product with Y_t.
    analog = weights @ moments.cross.T.triu()
    norms = moments.own.diagonal()
    quantised = torch.zeros_like(weights)
    for t in range(weights.shape[1]):
        if norms[t] > 0:
            aim = (analog[:, t] - quantised[:, :t] @ moments.own[:t, t]) / norms[t]
            quantised[:, t] = to_alphabet(aim, radius, bits=bits, sparsity=sparsity, threshold=threshold)
    return quantised


def to_alphabet(values: Tensor, radius: float | Tensor, *, bits: int, sparsity: str, threshold: float | Tensor) -> Tensor:
    """The alphabet's nearest element, after soft or hard thresholding where asked."""
    if sparsity == "none":
        return nearest(values, radius / levels(bits), bits)
    shrunk = values.sign() * (values.abs() - threshold).clamp_min(0)
    if sparsity == "soft":
        return nearest(shrunk, radius / levels(bits), bits)
    outer = nearest(shrunk, (radius - threshold) / levels(bits), bits) + values.sign() * threshold
    return torch.where(values.abs() > threshold, outer, torch.zeros_like(values))
