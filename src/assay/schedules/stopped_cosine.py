"""The beginning of a longer cosine schedule: what early stopping leaves of it.

With `share` of its epochs, a training takes the very steps of the full one and stops there, its learning rate not yet brought
down: the early-stopped surrogates of "Going Further: Flatness at the Rescue of Early Stopping for Adversarial Example
Transferability" (P680).
"""

from typing import Annotated

from annotated_types import Ge, Gt, Le, Lt

from assay.schedules.cosine import cosine


def stopped_cosine(
    progress: float, *, share: Annotated[float, Gt(0), Le(1)] = 0.5, warmup: Annotated[float, Ge(0), Lt(1)] = 0.1
) -> float:
    """Factor on the learning rate at `progress` in [0, 1) of the training, which is the first `share` of the full schedule;
    `warmup` is the share of the full one spent rising.
    """
    return cosine(progress * share, warmup=warmup)
