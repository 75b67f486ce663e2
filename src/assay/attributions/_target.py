"""Helpers of attributions: the target's logit, and its gradient in what it depends on."""

import contextlib
import warnings
from collections.abc import Iterator

import torch
from torch import Tensor, nn


def target_gradient(network: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
    """Gradient of each image's target logit in the image, same shape as images."""
    with torch.enable_grad():
        images = images.detach().requires_grad_(True)
        logits = network(images).gather(1, targets[:, None])
        return torch.autograd.grad(logits.sum(), images)[0]


def upsample(maps: Tensor, images: Tensor) -> Tensor:
    """Maps (B, 1, h, w) at the images' resolution, bilinear."""
    return nn.functional.interpolate(maps, size=images.shape[-2:], mode="bilinear", align_corners=False)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """captum warns that it sets hooks and asks for gradients, which is its way to work."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Setting (backward|forward)|Input Tensor .* did not already require")
        yield
