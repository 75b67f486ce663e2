"""Best on held-out: of several fine-tuned networks, keep the one most accurate on held-out images.

The usual practice that "Model soups: averaging weights of multiple fine-tuned models improves accuracy without increasing
inference time" (P308) compares with.
"""

from copy import deepcopy
from typing import Annotated

from assay.language.plugs import Parent
from assay.surgery._averaging import accuracy, held_out
from assay.training.network import Bench, Network, Trained


def best_member(
    network: Network,
    bench: Bench,
    *,
    members: list[Annotated[Trained, Parent()]],
    choose_on: str = "held_out",
) -> Network:
    """choose_on: the world's further split that decides; the first of equals is kept. `network` itself is not used."""
    split = held_out(bench, choose_on)
    return deepcopy(max((member.network for member in members), key=lambda each: accuracy(each, split)))
