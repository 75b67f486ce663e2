"""Adversarial training: descend the loss at the worst images an attack finds near the given ones.

"Towards Deep Learning Models Resistant to Adversarial Attacks", Madry et al. 2018: the saddle point min_w E max_d L(w, x + d, y),
the inner maximum approached by projected gradient descent against the current weights, the outer one a step at its result
alone, without the clean images. It is what "An Extended Study of Human-like Behavior under Adversarial Training" (P098) and
"How explainable are adversarially-robust CNNs?" (P288) train with.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from assay.data.batch import Batch
from assay.language.plugs import Plug


def adversarial_training(network: nn.Module, batch: Batch, *, attack: Annotated[Callable, Plug("attacks")] = "pgd") -> Tensor:
    """Mean cross-entropy of the attacked images on the targets (B, K); the attack is made against the labels (B,)."""
    # The trainer seeds the global generator before every epoch.
    generator = torch.Generator(batch.images.device).manual_seed(int(torch.randint(2**31, ())))
    with evaluating(network):
        attacked = attack(network, batch.images, batch.labels, generator)
    return F.cross_entropy(network(attacked), batch.targets)


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """The network as it answers at test time, so that an attack's steps leave no trace in running statistics, and frozen, so that
    they compute the gradient in the image alone."""
    training, trained = network.training, [weight for weight in network.parameters() if weight.requires_grad]
    network.eval().requires_grad_(False)
    try:
        yield
    finally:
        network.train(training)
        for weight in trained:
            weight.requires_grad_(True)
