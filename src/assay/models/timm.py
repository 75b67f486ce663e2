"""Any architecture of timm by its name, at its full size, from scratch or from published weights.

"PyTorch Image Models", Wightman 2019. Weights are read as safetensors alone, from the hub's usual cache or a local file; no
network is asked unless `pretrained` or `weights` says so.
"""

from functools import partial
from pathlib import Path
from textwrap import shorten
from typing import Annotated, Any

import torch
from annotated_types import Ge, Lt
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from assay.errors import StudyError
from assay.language.plugs import Weights, weights_file
from assay.language.timm_names import TimmName
from assay.training import shim  # noqa: F401  (before timm)

# isort: split
from huggingface_hub import constants, hf_hub_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError
from timm import create_model
from timm.models import get_pretrained_cfg

SAFE_FILE = "model.safetensors"
WRAPPERS = ("_orig_mod.", "module.", "_orig_mod.")  # torch.compile around, and inside, DistributedDataParallel


def timm(
    channels: int,
    classes: int,
    size: int,
    *,
    name: TimmName,
    pretrained: bool = False,
    weights: Annotated[str, Weights()] | None = None,
    drop_rate: Annotated[float, Ge(0), Lt(1)] = 0.0,
    drop_path_rate: Annotated[float, Ge(0), Lt(1)] = 0.0,
) -> nn.Module:
    """timm's model of this name for images (B, channels, size, size), its classifier with an output for each of the classes.

    pretrained: start from the weights timm publishes under the name (`resnet50`, or one of several as `resnet50.a1_in1k`).
    weights: start from these instead: a local .safetensors file, or a hub repository as owner/name with a model.safetensors.
    The classifier stays fresh where the weights' classes are not as many as the world's. drop_rate: dropout before the
    classifier. drop_path_rate: stochastic depth.

    A pretrained model gets images normalised as it was trained with, not by the world's statistics, and photographs read as timm
    has it for the name (`assay.language.seeing`). Its weights are fetched
    when a training starts (`start_pretrained`), not when the trained network is read back.
    """
    options = {"num_classes": classes, "in_chans": channels, "drop_rate": drop_rate}
    if drop_path_rate:
        options["drop_path_rate"] = drop_path_rate
    if get_pretrained_cfg(name).fixed_input_size:
        options["img_size"] = size
    model = create_model(name, pretrained=False, **options)
    if pretrained or weights:
        model.start_pretrained = partial(_start, model, name, weights, options)
    return model


def _start(model: nn.Module, name: str, weights: str | None, options: dict[str, Any]) -> tuple[Tensor, Tensor]:
    """Load published weights into a fresh model; mean and spread (C,) of the images it was trained on."""
    file = (weights and weights_file(weights)) or _from_hub(name, weights)
    classifiers = model.pretrained_cfg["classifier"]
    classifier = classifiers if isinstance(classifiers, str) else classifiers[0]
    state = _state_in(file)
    # With as many classes as the file timm checks every name and shape; with others it would pass over what does not fit.
    classes = len(state.get(f"{classifier}.weight", ()))
    source = {"state_dict": state, "custom_load": False, "num_classes": classes}
    try:
        donor = create_model(name, pretrained=True, pretrained_cfg_overlay=source, **{**options, "num_classes": classes})
    except RuntimeError as error:
        reason = shorten(str(error).splitlines()[-1].strip(), 160, placeholder=" ...")
        raise StudyError(
            f"model timm: weights: {file}: do not fit {name} ({reason}); name the model they were made for"
        ) from None
    fresh = model.state_dict()
    fitting = {key: value for key, value in donor.state_dict().items() if key in fresh and value.shape == fresh[key].shape}
    model.load_state_dict(fitting, strict=False)
    cfg = model.pretrained_cfg
    return _by_channel(cfg["mean"], options["in_chans"]), _by_channel(cfg["std"], options["in_chans"])


def _from_hub(name: str, repository: str | None) -> Path:
    """The weights' file in the hub's cache, fetched if it is not there."""
    repository = repository or get_pretrained_cfg(name).hf_hub_id
    if not repository:
        raise StudyError(f"model timm: pretrained: timm has no weights of {name} as safetensors; name others, or weights: a file")
    identifier, _, revision = repository.partition("@")
    try:
        return Path(hf_hub_download(identifier, SAFE_FILE, revision=revision or None))
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        raise StudyError(
            f"model timm: {SAFE_FILE} of {repository} is not in the cache {constants.HF_HUB_CACHE} and cannot be fetched"
            f" ({type(error).__name__}); where there is a network run: hf download {identifier} {SAFE_FILE}"
            " and copy the cache here, or set weights: to a local .safetensors file"
        ) from None


def _state_in(file: Path) -> dict[str, Tensor]:
    """The weights of a safetensors file by name, without the prefix that a wrapper put before every one."""
    try:
        state = load_file(file)
    except (OSError, SafetensorError) as error:
        raise StudyError(f"model timm: weights: {file}: not a readable safetensors file ({error})") from None
    for prefix in WRAPPERS:
        if state and all(name.startswith(prefix) for name in state):
            state = {name.removeprefix(prefix): value for name, value in state.items()}
    return state


def _by_channel(values: tuple[float, ...], channels: int) -> Tensor:
    """Statistics of three colours for as many channels: their mean for grey, else in turn, as timm adapts the first layer."""
    colours = torch.tensor(values)
    return colours.mean().reshape(1) if channels == 1 else colours.repeat(-(-channels // len(colours)))[:channels]
