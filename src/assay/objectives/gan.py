"""Adversarial training of a generator: two players, the generator with the non-saturating loss.

"Generative Adversarial Nets", Goodfellow et al. 2014. Each step the discriminator learns first, then the generator, from
latents of its own.
"""

from collections.abc import Callable, Iterable
from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from assay.data.batch import Batch, TensorWorld
from assay.errors import StudyError
from assay.language.plugs import Plug
from assay.training.objective import Objective, Player

CLASSIFIES = False


class GAN(Objective):
    """The network is the generator, a model that takes latents; StudyError if it does not. Labels are not used."""

    def __init__(self, *, discriminator: Annotated[Callable, Plug("models")] = "discriminator"):
        super().__init__()
        self.build = discriminator

    def prepare(self, network: nn.Module, world: TensorWorld) -> None:
        if not getattr(network.model, "takes_latents", False):
            raise StudyError("objective gan: the network takes images, not latents; use model: generator")
        images = world.train.images
        self.discriminator = self.build(images.shape[1], 1, images.shape[-1])

    def players(self, network: nn.Module) -> Iterable[Player]:
        return [Player((self.discriminator,), self.discriminator_loss), Player((network,), self.generator_loss)]

    def discriminator_loss(self, network: nn.Module, batch: Batch) -> Tensor:
        """Mean of -log D(x) over images and -log(1 - D(G(z))) over as many generated ones."""
        with torch.no_grad():
            made = self.sample(network, batch)
        real, fake = self.discriminator(centred(batch.images)), self.discriminator(centred(made))
        return (F.softplus(-real) + F.softplus(fake)).mean()

    def generator_loss(self, network: nn.Module, batch: Batch) -> Tensor:
        """Mean of -log D(G(z))."""
        return self.deception(self.sample(network, batch))

    def deception(self, made: Tensor) -> Tensor:
        """The generator's loss for images it made."""
        return F.softplus(-self.discriminator(centred(made))).mean()

    def sample(self, network: nn.Module, batch: Batch) -> Tensor:
        """As many generated images as the batch has."""
        return network(torch.randn(len(batch), network.model.latents, device=batch.images.device))


def centred(images: Tensor) -> Tensor:
    """From [0, 1] to [-1, 1]."""
    return 2 * images - 1
