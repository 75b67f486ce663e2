"""Batched evaluation of trained networks."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from assay.data.batch import DeviceStream


def batched(function: Callable[..., Tensor], *tensors: Tensor | DeviceStream, size: int = 512) -> Tensor:
    """Apply the function to slices of `size` rows and concatenate what it returns along the first axis; streamed images are
    decoded slice by slice, ahead of their use.
    """
    parts = zip(*(tensor.split(size) for tensor in tensors), strict=True)
    return torch.cat([function(*part) for part in parts])


@torch.no_grad()
def predict(network: nn.Module, images: Tensor | DeviceStream, size: int = 512) -> Tensor:
    """Logits (N, K) of all images."""
    return batched(network, images, size=size)
