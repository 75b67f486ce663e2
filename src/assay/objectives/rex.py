"""Risk extrapolation: the mean of the environments' losses, plus a penalty on how much they differ.

"Out-of-Distribution Generalization via Risk Extrapolation (REx)", Krueger et al. 2021, in its form V-REx:

    mean_e(R_e) + weight * mean_e((R_e - mean_e(R_e))^2)

where R_e is the loss of environment e in a step. The paper sums the first term over environments; its authors' code and that of
later benchmarks take the mean, as here. A sampler such as `balanced` brings all environments into every step.
"""

from typing import Annotated

import torch
import torch.nn.functional as F
from annotated_types import Ge
from torch import Tensor, nn

from assay.data.batch import Batch

PER_SAMPLE = False


def rex(network: nn.Module, batch: Batch, *, factor: str, weight: Annotated[float, Ge(0)] = 1.0) -> Tensor:
    """factor: whose values (B,) are the environments. The network sees each by itself, so batch statistics are an environment's
    own. StudyError for a factor that the world does not have."""
    risks = torch.stack([F.cross_entropy(network(part.images), part.targets) for part in batch.apart(factor)])
    return risks.mean() + weight * risks.var(correction=0)
