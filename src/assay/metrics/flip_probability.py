"""Flip probability: how often the answer changes along a sequence of slowly changing images.

"Benchmarking Neural Network Robustness to Common Corruptions and Perturbations" (P095), section 4: neighbouring frames are
compared; in sequences of noise, whose frames do not follow from one another, every frame is compared with the clean first.
"""

from typing import Literal

from torch import Tensor

from assay.metrics._numbers import numbers_only


@numbers_only
def flip_probability(answers: Tensor, *, against: Literal["previous", "first"] = "previous") -> float:
    """Share in [0, 1] of frames after the first whose answer differs, for answers (F, N) of N sequences of F >= 2 frames."""
    compared = answers[:-1] if against == "previous" else answers[:1]
    return (answers[1:] != compared).double().mean().item()
