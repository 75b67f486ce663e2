"""Pointing game: how often the hottest pixel lies on the object asked for.

"Top-down Neural Attention by Excitation Backprop", Zhang et al. 2016; used in "Grad-CAM: Visual Explanations from Deep Networks
via Gradient-based Localization" (P313), section 4.1. Without the original's tolerance of 15 pixels on large photographs.
"""

from torch import Tensor

from assay.metrics._numbers import numbers_only


@numbers_only
def pointing(heat: Tensor, masks: Tensor) -> float:
    """Share of maps (B, H, W) whose largest value lies where masks (B, H, W) are not zero; of equal values the first counts."""
    top = heat.flatten(1).argmax(1, keepdim=True)
    return float((masks.flatten(1).gather(1, top) > 0).double().mean())
