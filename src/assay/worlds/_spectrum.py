"""Noise with a given power spectrum."""

from collections.abc import Callable

import numpy as np


def radial_frequency(size: int) -> np.ndarray:
    """(size, size // 2 + 1) distance from zero frequency in cycles an image, in the layout of numpy.fft.rfft2."""
    return np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None]) * size


def shaped_noise(generator: np.random.Generator, shape: tuple[int, ...], gain: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """(..., size, size) float32 Gaussian noise whose amplitude at radial frequency f (cycles an image) is gain(f), mean 0 and
    deviation 1 in each image.

    gain may return one filter, or one for each leading index.
    """
    size = shape[-1]
    white = generator.standard_normal(shape, dtype=np.float32)
    frequency = radial_frequency(size)
    amplitude = gain(np.maximum(frequency, 1)) * (frequency > 0)
    image = np.fft.irfft2(np.fft.rfft2(white) * amplitude, s=(size, size))
    return (image / image.std(axis=(-2, -1), keepdims=True)).astype(np.float32)


def power_law(exponent: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Amplitude 1 / f^(exponent / 2), so power 1 / f^exponent; exponent broadcasts over leading axes."""
    return lambda frequency: frequency ** (-np.asarray(exponent)[..., None, None] / 2)


def band(low: float, high: float) -> Callable[[np.ndarray], np.ndarray]:
    """Amplitude 1 for low <= f <= high, else 0."""
    return lambda frequency: ((frequency >= low) & (frequency <= high)).astype(np.float64)
