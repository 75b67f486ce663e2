"""MEMO: before each prediction, a step of all weights that sharpens the mean prediction over augmented copies of the image.

"MEMO: Test Time Robustness via Adaptation and Augmentation", Zhang, Levine and Finn 2022: the loss is the entropy of the mean
probability over copies of one image; after one step the image itself is classified, and the weights go back. Here with
plain gradient descent and batch normalisation's training statistics.
"""

import math

from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

CHUNK = 32  # images whose weights are held at once


def adapted_logits(network: nn.Module, images: Tensor, copies: Tensor, rate: float) -> Tensor:
    """Logits (N, K) of images (N, C, H, W), each by the network moved by a step of `rate` on its own copies (N, A, C, H, W)."""
    weights = {name: value.detach() for name, value in network.named_parameters()}

    def entropy(moved: dict[str, Tensor], views: Tensor) -> Tensor:
        return marginal_entropy(functional_call(network, moved, (views,)))

    def one(image: Tensor, views: Tensor) -> Tensor:
        slopes = grad(entropy)(weights, views)
        moved = {name: value - rate * slopes[name] for name, value in weights.items()}
        return functional_call(network, moved, (image[None],))[0]

    return vmap(one, chunk_size=CHUNK)(images, copies).detach()


def marginal_entropy(logits: Tensor) -> Tensor:
    """Entropy in nats of the mean of the rows' softmax; logits (A, K)."""
    mean = logits.log_softmax(1).logsumexp(0) - math.log(len(logits))
    return -(mean.exp() * mean).sum()
