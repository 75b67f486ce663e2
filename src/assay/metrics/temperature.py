"""The temperature that calibrates a network: what its logits are divided by so that the labels are as likely as can be.

"On Calibration of Modern Neural Networks", Guo et al. 2017, section 4.2: one number for all classes, which changes no answer.
"""

import math

import torch.nn.functional as F
from scipy.optimize import minimize_scalar
from torch import Tensor

from assay.metrics._numbers import numbers_only

REACH = math.log(100.0)  # temperatures from 1/100 to 100


@numbers_only
def temperature(logits: Tensor, labels: Tensor) -> float:
    """argmin_T mean cross-entropy of logits (N, K) / T with labels (N,), in [0.01, 100]; above 1 for an overconfident network."""
    logits = logits.double()

    def loss(log_temperature: float) -> float:
        return F.cross_entropy(logits / math.exp(log_temperature), labels).item()

    return math.exp(minimize_scalar(loss, bounds=(-REACH, REACH), method="bounded", options={"xatol": 1e-6}).x)
