"""Linear warm-up, then half a cosine from 1 to 0.

"SGDR: Stochastic Gradient Descent with Warm Restarts", Loshchilov and Hutter 2017, without restarts.
"""

import math
from typing import Annotated

from annotated_types import Ge, Lt


def cosine(progress: float, *, warmup: Annotated[float, Ge(0), Lt(1)] = 0.1) -> float:
    """Factor on the learning rate at `progress` in [0, 1) of the training; `warmup` is the share spent rising."""
    if progress < warmup:
        return progress / warmup
    return 0.5 * (1 + math.cos(math.pi * (progress - warmup) / (1 - warmup)))
