"""EfficientNet-Lite0 with its ImageNet weights, which come with the repository: a real pretrained network without a download.

"EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", Tan and Le 2019, in the form without squeeze and
excitation and with ReLU6 that its authors released for phones. It is timm's `tf_efficientnet_lite0`; the weights are stored in
half precision. 4.7 million parameters; on one core 6 ms an image of 96 pixels.
"""

from functools import partial

import torch
from torch import Tensor, nn

from assay.storage.manifest import checked
from assay.training import shim  # noqa: F401  (before timm)

# isort: split
from timm import create_model

INPUTS = ("efficientnet_lite0.safetensors",)
NAME = "tf_efficientnet_lite0"


def efficientnet_lite0(channels: int, classes: int, size: int, *, pretrained: bool = True) -> nn.Module:
    """The network for images (B, channels, size, size); its classifier is ImageNet's for 1,000 classes, else a fresh one.

    pretrained: start from the ImageNet weights, with images normalised as in their training. For one channel the first layer's
    weights are summed over the three colours, so that grey images give what they gave as colour images. With budget: {epochs: 0}
    the network is the published one.
    """
    options = {"num_classes": classes, "in_chans": channels}
    model = create_model(NAME, pretrained=False, **options)
    if pretrained:
        model.start_pretrained = partial(_start, model, options)
    return model


def _start(model: nn.Module, options: dict[str, int]) -> tuple[Tensor, Tensor]:
    """Load the weights into a fresh model; mean and spread (C,) of images as it was trained on them."""
    donor = create_model(NAME, pretrained=True, pretrained_cfg_overlay={"file": str(checked(INPUTS[0]))}, **options)
    model.load_state_dict(donor.state_dict())
    cfg = model.pretrained_cfg
    channels = options["in_chans"]
    return torch.tensor(cfg["mean"][:channels]), torch.tensor(cfg["std"][:channels])
