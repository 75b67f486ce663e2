"""Batched evaluation of networks: their answers, and what modules inside them give."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from assay.data.batch import DeviceStream
from assay.errors import StudyError


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


@torch.no_grad()
def outputs(network: nn.Module, images: Tensor | DeviceStream, layers: Sequence[str], size: int = 512) -> dict[str, Tensor]:
    """What modules of the network's model give for all images, by the modules' names. StudyError for one that it has not."""
    model = getattr(network, "model", network)
    known = dict(model.named_modules())
    for layer in layers:
        if layer not in known:
            names = ", ".join(name for name, _ in model.named_children())
            raise StudyError(f"layers: no module '{layer}' in the model (has: {names}); name others")
    found: dict[str, list[Tensor]] = {layer: [] for layer in layers}

    def keep(layer: str) -> Callable:
        return lambda module, inputs, output: found[layer].append(output)

    handles = [known[layer].register_forward_hook(keep(layer)) for layer in layers]
    try:
        for batch in images.split(size):
            network(batch)
    finally:
        for handle in handles:
            handle.remove()
    return {layer: torch.cat(parts) for layer, parts in found.items()}
