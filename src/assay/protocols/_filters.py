"""Images with some of their spatial frequencies removed, by a sharp cut in the Fourier plane.

Frequencies are in cycles an image and count by their distance from zero, whatever their direction; of 16 px images the highest
along an axis is 8. Borders wrap around, results are not cut to [0, 1], and the mean of each channel always stays.
"""

import torch
from torch import Tensor


def low_pass(images: Tensor, cutoff: float) -> Tensor:
    """Square images (B, C, H, H) with the frequencies up to the cutoff, its own included, alone."""
    return band_pass(images, 0, cutoff)


def high_pass(images: Tensor, cutoff: float) -> Tensor:
    """Square images (B, C, H, H) with the frequencies above the cutoff alone; low_pass plus this less the mean is the image."""
    return images - low_pass(images, cutoff) + images.mean((2, 3), keepdim=True)


def band_pass(images: Tensor, low: float, high: float) -> Tensor:
    """Square images (B, C, H, H) with the frequencies from low to high, both included, and the mean."""
    size = images.shape[-1]
    radius = torch.hypot(torch.fft.fftfreq(size)[:, None], torch.fft.rfftfreq(size)[None]).to(images.device) * size
    kept = ((radius >= low) & (radius <= high)) | (radius == 0)
    return torch.fft.irfft2(torch.fft.rfft2(images) * kept, s=(size, size))
