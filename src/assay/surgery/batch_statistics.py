"""Recompute batch norm's running statistics on the training images; weights stay.

For networks whose statistics fit no data: an untrained one, the null of "Convergent Learning: Do different neural networks learn
the same representations?" (P011), would otherwise pass its activations unnormalised, unlike any network it is compared with.
"""

from copy import deepcopy

from assay.surgery._averaging import refresh
from assay.training.network import Bench, Network


def batch_statistics(network: Network, bench: Bench) -> Network:
    """A copy whose statistics are the means and variances over the training split; unchanged without batch norm."""
    renewed = deepcopy(network)
    refresh(renewed, bench.world.train.images)
    return renewed
