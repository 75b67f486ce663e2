"""A heat map that knows nothing: white noise, the floor of every attribution."""

import torch
from torch import Tensor, nn

from assay.data.seeds import seed_of


def random_map(network: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
    """Standard normal, same shape as images (B, C, H, W); depends on images and targets alone, so it can be repeated."""
    generator = torch.Generator().manual_seed(seed_of("random_map", float(images.double().sum()), targets.tolist()))
    return torch.randn(images.shape, generator=generator).to(images)
