"""A small vision transformer: timm's VisionTransformer at the size of the images.

"An Image is Worth 16x16 Words: Transformers for Image Recognition at Scale", Dosovitskiy et al. 2021.
"""

from typing import Annotated

from annotated_types import Ge
from torch import nn

from assay.training import shim  # noqa: F401  (before timm)

# isort: split
from timm.models.vision_transformer import VisionTransformer


def vit(
    channels: int,
    classes: int,
    size: int,
    *,
    patch: Annotated[int, Ge(1)] = 4,
    width: Annotated[int, Ge(8)] = 48,
    depth: Annotated[int, Ge(1)] = 4,
    heads: Annotated[int, Ge(1)] = 3,
) -> nn.Module:
    """Patches of `patch` px, `depth` blocks of `width` channels; images (B, channels, size, size), logits (B, classes)."""
    return VisionTransformer(
        img_size=size, patch_size=patch, in_chans=channels, num_classes=classes, embed_dim=width, depth=depth, num_heads=heads
    )
