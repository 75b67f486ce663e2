"""Adversarial training with single-step examples: a weighted sum of the loss on images and on their attacked copies.

"Explaining and Harnessing Adversarial Examples" (P127), section 6: alpha J(x, y) + (1 - alpha) J(x + eps sign(grad_x J(x, y)), y)
with alpha = 0.5; the attack is made anew against the current weights in every step and no gradient flows through it.
Another attack in its place is the paper's control: with `random_sign`, training on noise of the same size.
"""

from collections.abc import Callable
from typing import Annotated

import torch
import torch.nn.functional as F
from annotated_types import Ge, Le
from torch import Tensor, nn

from assay.data.batch import Batch
from assay.language.plugs import Plug


def fgsm_training(
    network: nn.Module,
    batch: Batch,
    *,
    attack: Annotated[Callable, Plug("attacks")] = "fgsm",
    alpha: Annotated[float, Ge(0), Le(1)] = 0.5,
) -> Tensor:
    """Mean over the batch of alpha times the cross-entropy of the images and 1 - alpha times that of the attacked images.

    The attack is made against the labels (B,); both losses are on the targets (B, K).
    """
    # The trainer seeds the global generator before every epoch.
    generator = torch.Generator(batch.images.device).manual_seed(int(torch.randint(2**31, ())))
    attacked = attack(network, batch.images, batch.labels, generator)
    clean_loss = F.cross_entropy(network(batch.images), batch.targets)
    return alpha * clean_loss + (1 - alpha) * F.cross_entropy(network(attacked), batch.targets)
