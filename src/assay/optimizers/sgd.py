"""Stochastic gradient descent with Nesterov momentum and L2 weight decay on all parameters (torch.optim.SGD)."""

from collections.abc import Iterable
from typing import Annotated

import torch
from annotated_types import Ge, Gt, Lt
from torch import nn


def sgd(
    parameters: Iterable[nn.Parameter],
    *,
    lr: Annotated[float, Gt(0)] = 0.2,
    momentum: Annotated[float, Ge(0), Lt(1)] = 0.9,
    weight_decay: Annotated[float, Ge(0)] = 5e-4,
) -> torch.optim.Optimizer:
    """lr: step size at factor 1 of the schedule. weight_decay: coefficient of the L2 penalty's gradient."""
    return torch.optim.SGD(parameters, lr=lr, momentum=momentum, weight_decay=weight_decay, nesterov=momentum > 0, foreach=True)
