"""Top-1 accuracy: share of samples whose largest logit is that of the label."""

from torch import Tensor

from assay.metrics._numbers import numbers_only


@numbers_only
def top1(logits: Tensor, labels: Tensor) -> float:
    """Share in [0, 1] for logits (N, K) and labels (N,)."""
    return (logits.argmax(1) == labels).double().mean().item()
