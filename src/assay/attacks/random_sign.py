"""The control of an attack by signs: every pixel moves by eps up or down, by the toss of a coin.

"Explaining and Harnessing Adversarial Examples" (P127), section 5, trains on this noise as its control: as large as the
adversarial step in max norm and in every other norm, but blind to the network.
"""

from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor, nn

from assay.attacks._gradient import within


def random_sign(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    generator: torch.Generator,
    *,
    eps: Annotated[float, Ge(0)] = 0.1,
    clip: bool = True,
) -> Tensor:
    """Images (B, C, H, W) plus eps or minus eps at each pixel and channel, by even chance; network and labels are not used."""
    coin = torch.randint(0, 2, images.shape, generator=generator, device=images.device).to(images.dtype)
    return within(images + eps * (2 * coin - 1), clip)
