"""AdvProp: learn from clean and from attacked images at once, the attacked ones normalised by batch norms of their own.

"Adversarial Examples Improve Image Recognition" (P084), algorithm 1: clean images pass the network's own batch norms, the attack
is made through auxiliary ones against the current weights, attacked images pass the auxiliary ones, and the sum of both losses is
descended. All other weights are shared. The auxiliary norms, weights and statistics, are the objective's, not the network's: at
test time the network is as if they had never been. While the attack is made they normalise by their running statistics. The
paper's attack is projected gradient descent, eps 4/255 in five steps of 1/255 from a random start.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from assay.data.batch import Batch, TensorWorld
from assay.errors import StudyError
from assay.language.plugs import Plug
from assay.objectives.adversarial_training import evaluating
from assay.training.objective import Objective


class AdvProp(Objective):
    """Mean cross-entropy of the images plus that of the attacked images, both on the targets (B, K); attacks against the labels.

    auxiliary: without it, both pass the network's own batch norms, which is the paper's control. Raises StudyError if the
    network has no batch norm.
    """

    def __init__(self, *, attack: Annotated[Callable, Plug("attacks")] = "pgd", auxiliary: bool = True):
        super().__init__()
        self.attack, self.auxiliary = attack, auxiliary

    def prepare(self, network: nn.Module, world: TensorWorld) -> None:
        norms = batch_norms(network)
        if not norms:
            raise StudyError("objective advprop: the model has no batch norm to give a twin; use one that has, such as resnet")
        self.norms = nn.ModuleList(deepcopy(norm) for norm in norms.values()) if self.auxiliary else nn.ModuleList()

    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        # The trainer seeds the global generator before every epoch.
        generator = torch.Generator(batch.images.device).manual_seed(int(torch.randint(2**31, ())))
        clean = F.cross_entropy(network(batch.images), batch.targets)
        with self.auxiliary_norms(network):
            with evaluating(network):
                attacked = self.attack(network, batch.images, batch.labels, generator)
            return clean + F.cross_entropy(network(attacked), batch.targets)

    @contextmanager
    def auxiliary_norms(self, network: nn.Module) -> Iterator[None]:
        """The network with the auxiliary norms in the places of its own; as it is without them."""
        own = batch_norms(network) if self.auxiliary else {}
        _place(network, dict(zip(own, self.norms, strict=True)))
        try:
            yield
        finally:
            _place(network, own)


def batch_norms(network: nn.Module) -> dict[str, nn.Module]:
    """The network's batch norms by the names of their places."""
    return {name: module for name, module in network.named_modules() if isinstance(module, _BatchNorm)}


def _place(network: nn.Module, modules: dict[str, nn.Module]) -> None:
    for name, module in modules.items():
        network.set_submodule(name, module)
