"""MSQ, memoryless scalar quantisation: every weight is rounded to the nearest level on its own.

The baseline of "Post-training Quantization for Neural Networks with Provable Guarantees" (P174), with the same alphabet as
surgery/gpfq: {0, +-step, ..., +-K step}, K = 2^(bits - 1), radius a constant times the mean over neurons of the largest
absolute weight; the constant is chosen for each layer by the error of its outputs.
"""

from typing import Annotated

from annotated_types import Ge, Gt, MinLen

from assay.surgery._layers import calibration_images, levels, nearest, quantise_layers
from assay.training.network import Bench, Network


def msq(
    network: Network,
    bench: Bench,
    *,
    bits: Annotated[int, Ge(1)] = 2,
    scales: Annotated[list[Annotated[float, Gt(0)]], MinLen(1)] = [0.5, 0.75, 1.0, 1.5],  # noqa: B006  (read, never altered)
    images: Annotated[int, Ge(1)] = 128,
    keep_last: bool = False,
    correct_bias: bool = False,
) -> Network:
    """The network with rounded weights. images: how many training images choose the constant and correct the biases."""
    return quantise_layers(
        network,
        bench,
        lambda weights, moments, radius: nearest(weights, radius[:, None] / levels(bits), bits),
        scales=scales,
        images=calibration_images(bench, images, "data"),
        keep_last=keep_last,
        correct_bias=correct_bias,
    )
