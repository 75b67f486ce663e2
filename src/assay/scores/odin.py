"""ODIN: maximum softmax probability at a high temperature, after a small step of the image towards its own prediction.

High means in-distribution.

"Enhancing The Reliability of Out-of-distribution Image Detection in Neural Networks" (P196), equations 1 and 2: with S_k(x; T) =
softmax(f(x) / T)_k and the predicted class y, the image becomes x - eps sign(-grad_x log S_y(x; T)) and the score is max_k S_k of
that image. Temperature 1 and eps 0 is `msp`. Here eps is in units of the [0, 1] pixel range, and the moved image is not cut to
it.
"""

from typing import Annotated

import torch
from annotated_types import Ge, Gt
from torch import Tensor, nn

from assay.attacks._gradient import shortfalls
from assay.data.batch import whole
from assay.measuring.evaluate import batched, predict
from assay.training.network import Samples


def odin(samples: Samples, *, temperature: Annotated[float, Gt(0)] = 1000.0, eps: Annotated[float, Ge(0)] = 0.0014) -> Tensor:
    """The score of each sample, shape (N,), double precision. Defaults are the paper's for DenseNet on CIFAR-10."""
    images = samples.images
    if eps > 0:
        images = batched(lambda part: part + eps * _towards_prediction(samples.network, part, temperature), whole(images))
    # At T = 1000 the scores differ in the sixth digit, too close for single precision.
    return (predict(samples.network, images).double() / temperature).softmax(1).amax(1)


def _towards_prediction(network: nn.Module, images: Tensor, temperature: float) -> Tensor:
    """sign(grad_x log S_y(x; T)) for the predicted class y, shape (B, C, H, W)."""
    with torch.enable_grad():
        images = images.detach().requires_grad_(True)
        logits = network(images).double() / temperature
        # log S_y falls as the logit of y falls short of the others; its own slope rounds to 0 where a network is certain.
        return -torch.autograd.grad(shortfalls(logits, logits.argmax(1)).sum(), images)[0].sign()
