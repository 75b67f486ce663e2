"""Adversarial training with the spectral regulariser: generated images are to have the real images' mean power spectrum.

"Watch your Up-Convolution: CNN Based Generative Deep Neural Networks are Failing to Reproduce Spectral Distributions"
(P466). The generator's loss gains weight times the binary cross-entropy between the azimuthal spectrum of each generated
image and the mean spectrum of the real ones, averaged over radii and images.
"""

from collections.abc import Callable
from typing import Annotated

import torch.nn.functional as F
from annotated_types import Ge
from torch import Tensor, nn

from assay.data.batch import Batch, TensorWorld, whole
from assay.language.plugs import Plug
from assay.metrics.azimuthal_spectrum import azimuthal_spectrum, log_power, scaled
from assay.objectives.gan import GAN

CLASSIFIES = False
EDGE = 1e-3  # spectra are kept this far from 0 and 1, where the cross-entropy's slope is unbounded


class SpectralGAN(GAN):
    """weight: lambda in the paper. The mean spectrum is that of the training images."""

    real: Tensor

    def __init__(
        self, *, weight: Annotated[float, Ge(0)] = 1.0, discriminator: Annotated[Callable, Plug("models")] = "discriminator"
    ):
        super().__init__(discriminator=discriminator)
        self.weight = weight

    def prepare(self, network: nn.Module, world: TensorWorld) -> None:
        super().prepare(network, world)
        self.register_buffer("real", azimuthal_spectrum(whole(world.train.images)).mean(0))

    def generator_loss(self, network: nn.Module, batch: Batch) -> Tensor:
        made = self.sample(network, batch)
        return self.deception(made) + self.weight * spectral_loss(made, self.real)


def spectral_loss(images: Tensor, target: Tensor) -> Tensor:
    """Mean over images (N, C, H, H) and radii of -t log s - (1 - t) log(1 - s), s their spectra and t (R,) the target."""
    spectra = scaled(log_power(images.float())).clamp(EDGE, 1 - EDGE)
    return F.binary_cross_entropy(spectra, target.expand_as(spectra).float())
