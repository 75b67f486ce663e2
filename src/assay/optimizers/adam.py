"""Adam with decoupled weight decay (torch.optim.AdamW); weight decay 0 is plain Adam.

"Adam: A Method for Stochastic Optimization", Kingma and Ba 2015; "Decoupled Weight Decay Regularization", Loshchilov and
Hutter 2019.
"""

from collections.abc import Iterable
from typing import Annotated

import torch
from annotated_types import Ge, Gt, Lt
from torch import nn


def adam(
    parameters: Iterable[nn.Parameter],
    *,
    lr: Annotated[float, Gt(0)] = 1e-3,
    beta1: Annotated[float, Ge(0), Lt(1)] = 0.9,
    beta2: Annotated[float, Ge(0), Lt(1)] = 0.999,
    weight_decay: Annotated[float, Ge(0)] = 0.0,
) -> torch.optim.Optimizer:
    """lr: step size at factor 1 of the schedule. beta1, beta2: decay of the running moments."""
    return torch.optim.AdamW(parameters, lr=lr, betas=(beta1, beta2), weight_decay=weight_decay, foreach=True)
