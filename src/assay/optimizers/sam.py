"""Sharpness-aware minimisation on top of SGD: descend the loss not here, but at the worst point nearby.

"Sharpness-Aware Minimization for Efficiently Improving Generalization", Foret et al. 2021, equations 2 and 3: with g the
gradient at the weights w, the step from w follows the gradient at w + rho g / ||g||, the norm taken over all parameters
together. The surrogates of "Going Further: Flatness at the Rescue of Early Stopping for Adversarial Example Transferability"
(P680) are trained with it, the best with an unusually large rho. The base is `sgd` with its weight decay, which the way up to the
worst point leaves aside. Running statistics of batch normalisation see both evaluations of a step; some programmes let them see
the first alone.
"""

from collections.abc import Callable, Iterable
from typing import Annotated

import torch
from annotated_types import Ge, Gt, Lt
from torch import Tensor, nn


class SAM(torch.optim.SGD):
    """lr: step size at factor 1 of the schedule. rho: distance of the point whose gradient is followed; 0 is SGD itself, and
    evaluates the loss once a step instead of twice.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        *,
        lr: Annotated[float, Gt(0)] = 0.2,
        momentum: Annotated[float, Ge(0), Lt(1)] = 0.9,
        weight_decay: Annotated[float, Ge(0)] = 5e-4,
        rho: Annotated[float, Ge(0)] = 0.05,
    ):
        super().__init__(parameters, lr=lr, momentum=momentum, weight_decay=weight_decay, nesterov=momentum > 0, foreach=True)
        self.rho = rho

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor]) -> Tensor:
        """One step; the loss at the weights it started from. closure: clears gradients, computes the loss and its gradients."""
        if not self.rho:
            return super().step(closure)
        with torch.enable_grad():
            loss = closure()
        parameters = [p for group in self.param_groups for p in group["params"] if p.grad is not None]
        start = [p.clone() for p in parameters]
        length = torch.stack([p.grad.norm() for p in parameters]).norm().clamp_min(torch.finfo(torch.float32).tiny)
        for p in parameters:
            p.add_(p.grad * (self.rho / length))
        with torch.enable_grad():
            closure()
        for p, value in zip(parameters, start, strict=True):
            p.copy_(value)
        super().step()
        return loss
