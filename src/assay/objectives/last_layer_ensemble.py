"""Trains a Last Layer Ensemble: each image trains the classifier of its own shift, and the shift classifier to tell which that
is.

"A Whac-A-Mole Dilemma: Shortcuts Come in Multiples Where Mitigating One Amplifies Others" (P093). The sum of two cross-
entropies. Both reach the backbone, as in the authors' training on UrbanCars (on ImageNet they train the last layers on
frozen features).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from assay.data.batch import Batch
from assay.errors import StudyError
from assay.models.last_layer_ensemble import LastLayers

FACTORS = ("shift",)


def last_layer_ensemble(network: nn.Module, batch: Batch) -> Tensor:
    """Cross-entropy with the targets (B, K) of the classifier named by factor "shift" (B,), plus that of the shift classifier.

    Raises StudyError without that factor, or for a network that is no Last Layer Ensemble of enough classifiers.
    """
    if "shift" not in batch.factors:
        raise StudyError(
            "objective last_layer_ensemble: no augmentation says how it shifts an image; add augment: swap_shortcuts"
        )
    last = getattr(network.model, "fc", None)
    if not isinstance(last, LastLayers):
        raise StudyError("objective last_layer_ensemble: needs model: last_layer_ensemble")
    shift, shifts = batch.factors["shift"], len(last.heads)
    if int(shift.max()) >= shifts:
        raise StudyError(
            f"objective last_layer_ensemble: shift {int(shift.max())} has no classifier; the model has shifts: {shifts}"
        )
    features = network.features(batch.images)
    logits = last.each(features)[torch.arange(len(shift), device=shift.device), shift]
    return F.cross_entropy(logits, batch.targets) + F.cross_entropy(last.shift(features), shift)
