"""Batched evaluation of trained networks."""

from collections.abc import Callable

import torch
from torch import Tensor, nn


def batched(function: Callable[..., Tensor], *tensors: Tensor, size: int = 512) -> Tensor:
    """Apply the function to slices of `size` rows and concatenate what it returns along the first axis."""
    parts = zip(*(tensor.split(size) for tensor in tensors), strict=True)
    return torch.cat([function(*part) for part in parts])


@torch.no_grad()
def predict(network: nn.Module, images: Tensor, size: int = 512) -> Tensor:
    """Logits (N, K) of all images."""
    return batched(network, images, size=size)
