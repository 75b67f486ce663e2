"""Flags a given share of the samples at random: what removing as many samples does without knowing which are wrong."""

from typing import Annotated

import torch
from annotated_types import Gt, Lt
from torch import Tensor

from assay.scores.coin import coin
from assay.training.network import Samples


def random_flags(samples: Samples, *, share: Annotated[float, Gt(0), Lt(1)] = 0.2) -> Tensor:
    """Uniform random numbers less their (1 - share) quantile, shape (N,); above 0 is flagged."""
    drawn = coin(samples)
    return drawn - torch.quantile(drawn, 1 - share)
