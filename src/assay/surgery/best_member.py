"""Best on held-out: of several fine-tuned networks, keep the one most accurate on held-out images.

The usual practice that "Model soups: averaging weights of multiple fine-tuned models improves accuracy without increasing
inference time" (P308) compares with.
"""

from copy import deepcopy
from typing import Annotated

from assay.network import Bench, Network, Trained
from assay.plugs import Parent
from assay.surgery._averaging import accuracy, held_out


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
