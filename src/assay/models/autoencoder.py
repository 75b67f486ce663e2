"""A small convolutional autoencoder: images to a code and back, nothing else between them.

The from-scratch rival in "Modeling the Distribution of Normal Data in Pre-Trained Deep Features for Anomaly Detection" (P123),
there as published by others at several sizes; here one with three halvings and a code for each remaining place.
"""

from typing import Annotated

from annotated_types import Ge
from torch import Tensor, nn

from assay.errors import StudyError

FACTOR = 8  # what three halvings leave of a side


class Autoencoder(nn.Module):
    """Normalised images (B, channels, size, size) to images of their shape in [0, 1]; size a multiple of 8. classes is not used.

    width: channels after the first halving, doubled by the second. code: channels of the code, at 1/64 of the places.
    """

    makes_images = True

    def __init__(
        self, channels: int, classes: int, size: int, *, width: Annotated[int, Ge(1)] = 16, code: Annotated[int, Ge(1)] = 8
    ):
        super().__init__()
        if size % FACTOR:
            raise StudyError(f"model autoencoder: size {size} is not allowed; use a multiple of {FACTOR}")
        wide = 2 * width
        self.encoder = nn.Sequential(
            *_halved(channels, width), *_halved(width, wide), *_halved(wide, wide), nn.Conv2d(wide, code, 1)
        )
        self.decoder = nn.Sequential(
            nn.Conv2d(code, wide, 1), nn.ReLU(), *_doubled(wide, wide), *_doubled(wide, width), *_doubled(width, channels)[:1]
        )

    def forward(self, images: Tensor) -> Tensor:
        return self.decoder(self.encoder(images)).sigmoid()


def _halved(inside: int, out: int) -> list[nn.Module]:
    return [nn.Conv2d(inside, out, 4, stride=2, padding=1), nn.BatchNorm2d(out), nn.ReLU()]


def _doubled(inside: int, out: int) -> list[nn.Module]:
    return [nn.ConvTranspose2d(inside, out, 4, stride=2, padding=1), nn.BatchNorm2d(out), nn.ReLU()]
