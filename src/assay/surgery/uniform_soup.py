"""Uniform soup: average the weights of all fine-tuned networks.

"Model soups: averaging weights of multiple fine-tuned models improves accuracy without increasing inference time" (P308).
Deviation: the paper's models have layer norm; here batch norm's statistics are computed anew on the training images after
averaging.
"""

from typing import Annotated

from assay.language.plugs import Parent
from assay.surgery._averaging import soup
from assay.training.network import Bench, Network, Trained


def uniform_soup(network: Network, bench: Bench, *, members: list[Annotated[Trained, Parent()]]) -> Network:
    """The mean of the members' parameters; `network` itself is not used. StudyError if their architectures differ."""
    return soup([member.network for member in members], bench.world.train.images)
