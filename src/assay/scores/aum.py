"""Area under the margin, against the threshold that samples of a made-up class set: above 0 is mislabelled.

"Identifying Mislabeled Data using the Area Under the Margin Ranking" (P234). The margin of a sample at an epoch is the logit
of its assigned label minus the largest other logit; its mean over the epochs of training is the sample's AUM. The network
must have been trained on `worlds/threshold_samples`, whose made-up class is the last one: the percentile of that class's AUMs
is the largest AUM counted as mislabelled. The score is threshold minus AUM, so that high means mislabelled. Threshold samples
themselves get NaN, as they cannot be judged by this network; a second one with other threshold samples judges them.
"""

from typing import Annotated

import torch
from annotated_types import Ge, Le
from torch import Tensor

from assay.errors import StudyError
from assay.training.network import Samples


def aum(samples: Samples, *, percentile: Annotated[float, Ge(0), Le(100)] = 99.0) -> Tensor:
    """Shape (N,); samples are the network's own training split, its records hold "margins" (epochs, N).

    percentile: of the threshold samples' AUMs (paper: 99). Raises StudyError without recorded margins or without threshold
    samples.
    """
    if "margins" not in samples.records:
        raise StudyError("score aum: the network's training recorded no margins; set record: [margins] in its recipe")
    area = samples.records["margins"].to(samples.labels.device).mean(0)
    made_up = samples.network(samples.images[:1]).shape[1] - 1
    threshold = samples.labels == made_up
    if not threshold.any():
        raise StudyError("score aum: the training split has no sample of its last class; train on worlds/threshold_samples")
    cut = torch.quantile(area[threshold].double(), percentile / 100)
    return torch.where(threshold, torch.nan, cut - area.double())
