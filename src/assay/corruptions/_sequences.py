"""Perturbation sequences: one image as a short film in which it changes a little from frame to frame.

The ten perturbations of ImageNet-P, "Benchmarking Neural Network Robustness to Common Corruptions and Perturbations" (P095).
Each function takes images (B, C, H, W) in [0, 1] and a number of frames (at least 2) and returns (F, B, C, H, W). A sequence
covers the same distance with any number of frames, in shares of the image's side, degrees or grey values; the paper's films have
30 frames and more and steps chosen for 224 px.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from assay.corruptions import _common, brightness, gaussian_noise, shot_noise, snow

MILDEST = 1  # severity of the noise in the noise sequences
STREAK = 0.05  # sigma of the motion blur, in image sides
ZOOMED = 1.2  # largest enlargement that the zoom blur averages
DRIFT = 0.25  # of the snow and of the translation, in image sides
TURN = 15.0  # degrees either way, of the rotation
SWEEP = 45.0  # degrees either way, of the blur's direction
BRIGHTER = 0.4  # in value
TILT = 0.3  # how much nearer one corner is than the middle
SCALED = 1.4  # the last enlargement


def gaussian_noise_frames(images: Tensor, frames: int, generator: torch.Generator) -> Tensor:
    """The clean images, then normal noise drawn anew in each frame."""
    return _noisy(partial(gaussian_noise.gaussian_noise, severity=MILDEST, generator=generator), images, frames)


def shot_noise_frames(images: Tensor, frames: int, generator: torch.Generator) -> Tensor:
    """The clean images, then Poisson noise drawn anew in each frame."""
    return _noisy(partial(shot_noise.shot_noise, severity=MILDEST, generator=generator), images, frames)


def motion_blur_frames(images: Tensor, frames: int, generator: torch.Generator) -> Tensor:
    """A motion blur whose direction turns."""
    return torch.stack(
        [
            _common.streak(images, images.new_full((len(images),), float(angle)), STREAK * images.shape[-1])
            for angle in torch.linspace(-SWEEP, SWEEP, frames)
        ]
    ).clamp(0, 1)


def zoom_blur_frames(images: Tensor, frames: int, generator: torch.Generator) -> Tensor:
    """The mean of a growing number of enlargements, the first frame clean."""
    zoomed = torch.stack([_common.zoom(images, float(factor)) for factor in torch.linspace(1, ZOOMED, frames)])
    counts = torch.arange(1, frames + 1, device=images.device, dtype=images.dtype)
    return (zoomed.cumsum(0) / counts.reshape(-1, 1, 1, 1, 1)).clamp(0, 1)


def snow_frames(images: Tensor, frames: int, generator: torch.Generator) -> Tensor:
    """The flakes of one snowfall, sinking."""
    flakes, white = snow.fallen(images, MILDEST, generator)
    x, y = (axis.expand(len(images), -1, -1) for axis in _common.positions(images))
    side = images.shape[-2]
    sunk = [_common.sample(flakes, x, y - side * float(drift)) for drift in torch.linspace(0, DRIFT, frames)]
    return torch.stack([snow.covered(images, layer, white) for layer in sunk])


def brightness_frames(images: Tensor, frames: int, generator: torch.Generator) -> Tensor:
    """The images grow brighter."""
    return torch.stack([brightness.raised(images, float(step)) for step in torch.linspace(0, BRIGHTER, frames)])


def translate_frames(images: Tensor, frames: int, generator: torch.Generator) -> Tensor:
    """The images move to the right, mirrored where they leave their edge."""
    x, y = (axis.expand(len(images), -1, -1) for axis in _common.positions(images))
    steps = torch.linspace(0, DRIFT, frames) * images.shape[-1]
    return torch.stack([_common.sample(images, x - float(step), y) for step in steps])


def rotate_frames(images: Tensor, frames: int, generator: torch.Generator) -> Tensor:
    """The images turn about their middle, from one side to the other."""
    x, y = _centred(images)
    return torch.stack(
        [
            _read_centred(images, x * angle.cos() + y * angle.sin(), y * angle.cos() - x * angle.sin())
            for angle in torch.deg2rad(torch.linspace(-TURN, TURN, frames)).to(images)
        ]
    )


def tilt_frames(images: Tensor, frames: int, generator: torch.Generator) -> Tensor:
    """The images lean back about a diagonal, in perspective, from facing the viewer."""
    x, y = _centred(images)
    depths = [1 + float(tilt) * (x + y) / images.shape[-1] for tilt in torch.linspace(0, TILT, frames)]
    return torch.stack([_read_centred(images, x / depth, y / depth) for depth in depths])


def scale_frames(images: Tensor, frames: int, generator: torch.Generator) -> Tensor:
    """The images come nearer."""
    return torch.stack([_common.zoom(images, float(factor)) for factor in torch.linspace(1, SCALED, frames)])


SEQUENCES: dict[str, Callable[[Tensor, int, torch.Generator], Tensor]] = {
    "gaussian_noise": gaussian_noise_frames,
    "shot_noise": shot_noise_frames,
    "motion_blur": motion_blur_frames,
    "zoom_blur": zoom_blur_frames,
    "snow": snow_frames,
    "brightness": brightness_frames,
    "translate": translate_frames,
    "rotate": rotate_frames,
    "tilt": tilt_frames,
    "scale": scale_frames,
}
UNORDERED = ("gaussian_noise", "shot_noise")  # each frame is drawn for itself


def _noisy(spoil: Callable[[Tensor], Tensor], images: Tensor, frames: int) -> Tensor:
    return torch.stack([images, *(spoil(images) for _ in range(frames - 1))])


def _centred(images: Tensor) -> tuple[Tensor, Tensor]:
    """(H, W) x and y of the pixel centres, in pixels from the image's middle."""
    x, y = _common.positions(images)
    return x - (images.shape[-1] - 1) / 2, y - (images.shape[-2] - 1) / 2


def _read_centred(images: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Every image read at the same positions x and y (H, W), in pixels from the middle; mirrored beyond its edges."""
    x, y = x + (images.shape[-1] - 1) / 2, y + (images.shape[-2] - 1) / 2
    return _common.sample(images, x.expand(len(images), -1, -1), y.expand(len(images), -1, -1))
