"""Helpers of attributions: the target's logit, and its gradient in what it depends on."""

import contextlib
import warnings
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from assay.errors import StudyError

VALUES_AT_ONCE = 4096 * 3 * 16 * 16  # of inputs that a network is shown at once: they bound the memory, whatever size images have


def rows_at_once(images: Tensor) -> int:
    """How many images of this size a method that shows many variants of each may show a network at once; at least one of each."""
    return max(len(images), VALUES_AT_ONCE // images[0].numel())


def target_gradient(network: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
    """Gradient of each image's target logit in the image, same shape as images."""
    with torch.enable_grad():
        images = images.detach().requires_grad_(True)
        logits = network(images).gather(1, targets[:, None])
        return torch.autograd.grad(logits.sum(), images)[0]


def upsample(maps: Tensor, images: Tensor) -> Tensor:
    """Maps (B, 1, h, w) at the images' resolution, bilinear."""
    return nn.functional.interpolate(maps, size=images.shape[-2:], mode="bilinear", align_corners=False)


def before_classifier(network: nn.Module, images: Tensor, attribution: str) -> Tensor:
    """What the network's model makes before its classifier, cut off from the images. StudyError for one that does not part the
    two as timm's do."""
    if not hasattr(network.model, "forward_features"):
        raise StudyError(
            f"attribution {attribution}: {type(network.model).__name__} has no forward_features and forward_head; give it timm's"
        )
    return network.model.forward_features(network.normalise(images)).detach()


def channels_first(model: nn.Module, maps: Tensor, attribution: str) -> Tensor:
    """What a model's forward_features makes (or its gradient) as maps (B, C, h, w).

    The model says how it lays them out: `output_fmt` "NHWC" for channels last; tokens lie on its patches' grid, after
    `num_prefix_tokens` that belong to no place. Raises StudyError where it does not say.
    """
    name = type(model).__name__
    if maps.ndim == 3:
        prefix, grid = getattr(model, "num_prefix_tokens", None), getattr(getattr(model, "patch_embed", None), "grid_size", None)
        if prefix is None or grid is None or prefix + grid[0] * grid[1] != maps.shape[1]:
            raise StudyError(
                f"attribution {attribution}: {name} makes {maps.shape[1]} tokens and does not say where they lie; use another"
            )
        return maps[:, prefix:].transpose(1, 2).unflatten(2, grid)
    if maps.ndim != 4:
        raise StudyError(f"attribution {attribution}: {name} has no maps before its classifier; use one such as allconv")
    return maps.permute(0, 3, 1, 2) if str(getattr(model, "output_fmt", "NCHW")) == "NHWC" else maps


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """captum warns that it sets hooks and asks for gradients, which is its way to work."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Setting (backward|forward)|Input Tensor .* did not already require")
        yield
