"""What quantising a trained network costs: accuracy, the error of a layer's pre-activations, and the share of zero weights.

"Post-training Quantization for Neural Networks with Provable Guarantees" (P174): top-1 accuracy (its section on experiments)
and the relative square error ||XW - YQ||^2 / ||XW||^2 of a layer, X and Y its inputs in the two networks, which the paper
bounds by m log(N) / N in the layer's fan-in N and the number m of samples.
"""

from collections.abc import Callable, Iterator
from typing import Annotated

import torch
from annotated_types import Ge, MinLen
from torch import Tensor

from assay.language.plugs import Plug
from assay.measuring.arm import Arm
from assay.measuring.evaluate import predict
from assay.metrics.top1 import top1
from assay.surgery._layers import as_rows, input_of, layer_inputs
from assay.training.network import Bench, Network

METRICS = {
    "top1": "Test accuracy, quantised [0 to 1, higher is better]: accuracy of the quantised network on test images; x is bits "
    "where several are asked for",
    "float_top1": "Test accuracy before [0 to 1, higher is better]: accuracy of the network before",
    "drop": "Drop of accuracy [-1 to 1, lower is better]: accuracy before less accuracy after; x as for top1",
    "relative_error": "Error of a layer, training images [relative, lower is better]: squared error of the layer's pre-"
    "activations over their square, on training images; x as for top1",
    "relative_error_test": "Error of a layer, test images [relative, lower is better]: the same on test images",
    "zeros": "Zero weights [0 to 1, higher is better]: share of weights that are exactly 0, over quantised layers; x as for top1",
}
ERROR_IMAGES = 256


def quantised(
    arm: Arm,
    *,
    quantiser: Annotated[Callable, Plug("surgery")],
    bits: Annotated[list[Annotated[int, Ge(1)]], MinLen(1)] = [2],  # noqa: B006  (read, never altered)
    layer: int = -2,
) -> Iterator[tuple]:
    """Quantise the arm's network at each number of bits. layer: whose error is measured, by the order in which layers
    compute.
    """
    test = arm.world.test
    before = top1(predict(arm.network, test.images), test.labels)
    yield "float_top1", before
    for number in bits:
        x = (number,) if len(bits) > 1 else ()
        bench = Bench(arm.world, arm.generator("calibration"), arm.device)
        network = quantiser(arm.network, bench, bits=number)
        after = top1(predict(network, test.images), test.labels)
        yield "top1", *x, after
        yield "drop", *x, before - after
        yield "relative_error", *x, relative_error(arm.network, network, arm.world.train.images[:ERROR_IMAGES], layer)
        yield "relative_error_test", *x, relative_error(arm.network, network, test.images[:ERROR_IMAGES], layer)
        yield "zeros", *x, zeros(arm.network, network)


@torch.no_grad()
def relative_error(analog: Network, network: Network, images: Tensor, layer: int) -> float:
    """Relative square error of the layer's pre-activations, without biases."""
    name = [name for name, _ in layer_inputs(analog, images[:1])][layer]
    products = []
    for each in (analog, network):
        module = each.get_submodule(name)
        rows = as_rows(module, input_of(each, module, images))
        products.append(rows.double() @ module.weight.flatten(1).double().T)
    return float((products[0] - products[1]).square().sum() / products[0].square().sum())


def zeros(analog: Network, network: Network) -> float:
    """Share of zeros among the weights that quantisation changed layer by layer."""
    weights = [
        module.weight
        for name, module in network.named_modules()
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear) and not module.weight.equal(analog.get_submodule(name).weight)
    ]
    return float(sum((w == 0).sum() for w in weights) / max(1, sum(w.numel() for w in weights)))
