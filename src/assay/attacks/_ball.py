"""Norm balls around images: drawing from them, projecting onto them, and the steepest step in each norm."""

import torch
from torch import Tensor

TINY = torch.finfo(torch.float32).tiny
Size = float | Tensor  # a radius for all images, or one for each (B, 1, 1, 1)


def norms(perturbation: Tensor) -> Tensor:
    """Euclidean norm of each sample's perturbation, shape (B, 1, 1, 1)."""
    return perturbation.flatten(1).norm(dim=1).reshape(-1, 1, 1, 1)


def project(perturbation: Tensor, norm: str, eps: Size) -> Tensor:
    """The nearest perturbation (B, C, H, W) of at most `eps` in the norm "linf" or "l2"."""
    if norm == "linf":
        return perturbation.clamp(-eps, eps)
    return perturbation * (eps / norms(perturbation).clamp_min(TINY)).clamp_max(1)


def steepest(gradient: Tensor, norm: str) -> Tensor:
    """The direction of size 1 in the norm along which a function with this gradient grows fastest; 0 where it is 0."""
    if norm == "linf":
        return gradient.sign()
    return gradient / norms(gradient).clamp_min(TINY)


def drawn(images: Tensor, norm: str, eps: Size, generator: torch.Generator) -> Tensor:
    """A perturbation for each of the images (B, C, H, W), uniform in the ball of radius `eps`."""
    if norm == "linf":
        uniform = torch.rand(images.shape, generator=generator, device=images.device, dtype=images.dtype)
        return eps * (2 * uniform - 1)
    direction = torch.randn(images.shape, generator=generator, device=images.device, dtype=images.dtype)
    radius = torch.rand((len(images), 1, 1, 1), generator=generator, device=images.device, dtype=images.dtype)
    return eps * radius ** (1 / images[0].numel()) * steepest(direction, "l2")
