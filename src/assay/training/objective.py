"""The contract of objectives: what is minimised, by whom."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from torch import Tensor, nn

from assay.data.batch import Batch, TensorWorld


@dataclass(frozen=True)
class Player:
    """One optimiser's share of a step: the modules it updates and the loss it descends.

    Single-player objectives need none of this; adversarial ones return two players, which step in the order given.
    """

    modules: tuple[nn.Module, ...]
    loss: Callable[[nn.Module, Batch], Tensor]


class Objective(nn.Module):
    """Base of objectives that hold state: extra trainable modules, buffers, or several players.

    Submodules and buffers created in `prepare` are trained, checkpointed and saved with the network. What changes after
    `prepare` must be among them (or in `get_extra_state`, as tensors and plain numbers): a training goes on from them in the
    middle of an epoch. Randomness comes from torch's global generator, which the trainer seeds before `prepare` and before
    every epoch. Several processes may share a batch only if the file says `PER_SAMPLE = True`: the loss is the mean of its
    samples' losses, and nothing is kept from one step to the next.
    """

    def prepare(self, network: nn.Module, world: TensorWorld) -> None:
        """Create what depends on the network and the data (projector, discriminator, per-sample buffers). Called once."""

    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        """The scalar loss of one batch."""
        raise NotImplementedError

    def players(self, network: nn.Module) -> Iterable[Player]:
        """Who updates what; by default one player that trains network and objective together on `loss`."""
        return [Player((network, self), self.loss)]

    def start_epoch(self, epoch: int, network: nn.Module, world: TensorWorld) -> None:
        """Called before each epoch, e.g. to recompute pseudo-labels."""


class FunctionObjective(Objective):
    """A plain loss function as an objective."""

    def __init__(self, function: Callable[[nn.Module, Batch], Tensor]):
        super().__init__()
        self.function = function

    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        return self.function(network, batch)
