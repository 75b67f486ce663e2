"""One-dimensional power spectrum of images: log power averaged over all directions, by radius in frequency.

"Watch your Up-Convolution: CNN Based Generative Deep Neural Networks are Failing to Reproduce Spectral Distributions"
(P466), the azimuthal integration of the Fourier transform of the grey image. As in the authors' code the logarithm comes
before the average, radii reach into the corners of the spectrum, and each image's curve is scaled to [0, 1].
Differentiable, for use in a loss.
"""

import torch
from torch import Tensor

from assay.metrics._numbers import numbers_only

GREY = (0.299, 0.587, 0.114)
SMALLEST = 1e-8  # added to power, for its logarithm


@numbers_only
def azimuthal_spectrum(images: Tensor) -> Tensor:
    """(N, R) for square images (N, 1 or 3, H, H): mean log power at radius 0 to R - 1 cycles, R - 1 = H / sqrt 2 rounded.

    Shifted and scaled so that an image's smallest value is 0 and its largest 1.
    """
    return scaled(log_power(images))


def scaled(curve: Tensor) -> Tensor:
    """Curves (N, R) from 0 to 1."""
    low, high = curve.amin(1, keepdim=True), curve.amax(1, keepdim=True)
    return (curve - low) / (high - low).clamp_min(SMALLEST)


def log_power(images: Tensor) -> Tensor:
    """(N, R) mean of log |F|^2 over frequencies whose distance from 0 rounds to the radius."""
    power = (torch.fft.fft2(grey(images)).abs().square() + SMALLEST).log().flatten(1)
    radius = radii(images.shape[-1]).to(images.device)
    counts = torch.bincount(radius)
    return power.new_zeros(len(images), len(counts)).index_add(1, radius, power) / counts


def grey(images: Tensor) -> Tensor:
    """(N, H, W) luminance."""
    if images.shape[1] == 1:
        return images[:, 0]
    return torch.einsum("nchw,c->nhw", images, torch.tensor(GREY, dtype=images.dtype, device=images.device))


def radii(size: int) -> Tensor:
    """(size * size,) rounded distance of each frequency from 0, in cycles an image, in the order of fft2."""
    frequency = torch.fft.fftfreq(size, 1 / size)
    return (frequency[:, None] ** 2 + frequency[None] ** 2).sqrt().round().long().flatten()
