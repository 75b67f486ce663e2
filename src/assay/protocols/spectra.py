"""Do generated images have the spectrum of real ones? A linear classifier on azimuthal spectra tries to tell them apart.

"Watch your Up-Convolution: CNN Based Generative Deep Neural Networks are Failing to Reproduce Spectral Distributions"
(P466): detection by a classifier on the one-dimensional power spectrum, here logistic regression (the paper also uses a
support vector machine and clustering), trained on half of the images and judged on the other half.
"""

from collections.abc import Iterator
from typing import Literal

import torch
import torch.nn.functional as F
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from assay.data.batch import whole
from assay.errors import StudyError
from assay.measuring.arm import Arm
from assay.measuring.evaluate import batched
from assay.metrics.azimuthal_spectrum import azimuthal_spectrum
from assay.metrics.frechet_distance import frechet_distance

METRICS = {
    "detection": "Detection by spectrum [0 to 1, lower is better]: accuracy of the classifier on held-out images, half of them"
    " real; 0.5 cannot tell, 1 always can",
    "spectral_distance": "Distance of spectra [0 to 1, lower is better]: mean absolute difference between the mean spectra, "
    "each scaled to [0, 1]",
    "frechet": "Frechet distance [squared pixel range, lower is better]: Frechet distance of the images averaged to 4 x 4 "
    "pixels, squared, in pixel values",
    "diversity": "Diversity [real images are 1, higher is better]: spread of the images about their mean over that of the real"
    " images; 0 is one image for all",
    "spectrum": "Spectrum [0 to 1, neither is better]: mean spectrum, scaled to [0, 1]; x is the radius in cycles an image",
}


def spectra(arm: Arm, *, source: Literal["network", "real", "resampled"] = "network") -> Iterator[tuple]:
    """Test images against as many from the source.

    source: "real" are training images, the floor of the instrument; "resampled" are training images averaged to half the
    resolution and enlarged by nearest neighbour, the bluntest up-sampling there is, its ceiling.
    """
    real = whole(arm.world.test.images)
    made = images_from(arm, source, len(real))
    ours, theirs = azimuthal_spectrum(real).cpu(), azimuthal_spectrum(made).cpu()
    yield "detection", detection(ours, theirs)
    yield "spectral_distance", float((ours.mean(0) - theirs.mean(0)).abs().mean())
    yield "frechet", frechet_distance(*(F.adaptive_avg_pool2d(images, 4).flatten(1).cpu() for images in (real, made)))
    yield "diversity", float(made.std(0).mean() / real.std(0).mean())
    for radius, value in enumerate(theirs.mean(0).tolist()):
        yield "spectrum", radius, value
    arm.keep("images", made[:16])
    arm.keep("images_real", real[:16])


@torch.no_grad()
def images_from(arm: Arm, source: str, count: int) -> Tensor:
    """(count, C, H, W) images from the source, or fewer where the training split is smaller."""
    if source == "network":
        if not getattr(arm.network.model, "takes_latents", False):
            raise StudyError(f"protocol spectra: the network of arm '{arm.name}' makes no images; use model generator")
        latents = torch.randn(count, arm.network.model.latents, generator=arm.generator("latents"), device=arm.device)
        return batched(arm.network, latents)
    images = arm.world.train.images[:count]
    return images if source == "real" else F.interpolate(F.avg_pool2d(images, 2), scale_factor=2, mode="nearest")


def detection(real: Tensor, made: Tensor) -> float:
    """Balanced accuracy on the second halves of a logistic regression fitted to the first halves of features (N, D), (M, D)."""
    halves = [features.double().tensor_split(2) for features in (real, made)]
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    model.fit(torch.cat([half[0] for half in halves]).numpy(), [0] * len(halves[0][0]) + [1] * len(halves[1][0]))
    right = [(model.predict(half[1].numpy()) == label).mean() for label, half in enumerate(halves)]
    return float(sum(right) / 2)
