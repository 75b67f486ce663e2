"""Weights as people keep them: safetensors or PyTorch's files, with the wrappers of training around them, put into a model."""

import hashlib
import pickle
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from assay.errors import StudyError
from assay.pipeline.running import refuse_loading_code
from assay.training import shim  # noqa: F401  (before timm)

# isort: split
from timm import create_model, is_model, list_models, list_modules

HOLDERS = ("state_dict_ema", "model_ema", "ema", "state_dict", "model_state_dict", "model_state", "model", "net", "network")
PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "network.", "encoder.", "backbone.")
# A tensor that all models of a family have, and those of it that most published and fine-tuned networks are.
FAMILIES = {
    "layer1.0.conv1.weight": ("resnet18", "resnet34", "resnet50", "resnet101", "wide_resnet50_2", "resnext50_32x4d"),
    "blocks.0.attn.qkv.weight": ("vit_tiny_patch16_224", "vit_small_patch16_224", "vit_base_patch16_224"),
    "stages.0.blocks.0.conv_dw.weight": ("convnext_tiny", "convnext_small", "convnext_base"),
    "layers.0.blocks.0.attn.qkv.weight": ("swin_tiny_patch4_window7_224", "swin_small_patch4_window7_224"),
    "blocks.0.0.conv_dw.weight": ("efficientnet_b0", "tf_efficientnet_lite0", "mobilenetv2_100", "mobilenetv3_large_100"),
    "features.denseblock1.denselayer1.conv1.weight": ("densenet121", "densenet169"),
}
TRIED = 12  # further models of the same module of timm, the nearest names first
SHOWN = 3  # names in an error


def read_weights(path: Path) -> tuple[dict[str, Tensor], list[str]]:
    """The tensors of a file by name, without the wrappers around them, and what was taken off, in words.

    StudyError for a file that cannot be read as plain tensors; no code in it is run.
    """
    held = _read(path)
    said = []
    while (holder := next((key for key in HOLDERS if isinstance(held.get(key), Mapping)), None)) is not None:
        held = held[holder]
        said.append(f"weights under '{holder}'")
    tensors = {str(name): value for name, value in held.items() if isinstance(value, Tensor)}
    if not tensors:
        raise StudyError(f"{path}: holds no tensors by name (has: {_few(held)}); save model.state_dict()")
    while (prefix := next((each for each in PREFIXES if all(name.startswith(each) for name in tensors)), None)) is not None:
        tensors = {name.removeprefix(prefix): value for name, value in tensors.items()}
        said.append(f"prefix '{prefix}' taken off")
    return tensors, said


def _read(path: Path) -> Mapping:
    refuse_loading_code()
    if not path.is_file():
        raise StudyError(f"{path}: no such file of weights; look at the path")
    try:
        held = load_file(path) if path.suffix == ".safetensors" else torch.load(path, map_location="cpu", weights_only=True)
    except SafetensorError as error:
        raise StudyError(f"{path}: not a readable safetensors file ({error}); fetch it again") from None
    except pickle.UnpicklingError:
        raise StudyError(
            f"{path}: holds Python objects, which would run code; save model.state_dict() alone, best as safetensors"
        ) from None
    except (EOFError, RuntimeError, ValueError, OSError) as error:
        raise StudyError(f"{path}: not readable as weights ({str(error).splitlines()[0]}); fetch it again") from None
    if not isinstance(held, Mapping):
        raise StudyError(f"{path}: holds a {type(held).__name__}, not tensors by name; save model.state_dict()")
    return held


def _few(names) -> str:
    names = sorted(map(str, names))
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")


def fill(model: nn.Module, tensors: dict[str, Tensor], path: Path, name: str) -> None:
    """Load the tensors into the model; StudyError names what does not fit, and an architecture of timm that does."""
    own = model.state_dict()
    optional = {key for key in own if key.endswith("num_batches_tracked")}
    problems = {
        "it lacks": own.keys() - tensors.keys() - optional,
        "it has besides": tensors.keys() - own.keys(),
        "of other shapes": {key for key in own.keys() & tensors.keys() if own[key].shape != tensors[key].shape},
    }
    if any(problems.values()):
        what = "; ".join(f"{word} {_few(keys)}" for word, keys in problems.items() if keys)
        fits = fitting(tensors, name)
        raise StudyError(f"{path}: weights of another architecture than {name}: {what}; {_advice(fits)}")
    model.load_state_dict(tensors, strict=False)


def _advice(fits: str | None) -> str:
    return f"they fit {fits}" if fits else "none of timm's that were tried fits; name the architecture they were trained as"


def fitting(tensors: dict[str, Tensor], near: str) -> str | None:
    """A model of timm whose tensors have these names and shapes, but for the classifier's; tried are common ones of the
    file's family, and those of timm's module of `near`."""
    wanted = _shapes(tensors)
    for name in _candidates(near, wanted):
        try:
            with torch.device("meta"):
                model = create_model(name)
        except Exception:  # some need packages of their own
            continue
        classifier = model.get_classifier() if hasattr(model, "get_classifier") else None
        own = next((key for key, module in model.named_modules() if module is classifier), "")
        shapes = {key: shape for key, shape in _shapes(model.state_dict()).items() if not (own and key.startswith(f"{own}."))}
        others = {key: shape for key, shape in wanted.items() if not (own and key.startswith(f"{own}."))}
        if shapes == others:
            return name
    return None


def _candidates(near: str, wanted: Mapping[str, tuple]) -> Iterator[str]:
    yield from (name for mark, names in FAMILIES.items() if mark in wanted for name in names)
    architecture = near.split(".")[0]
    module = next((each for each in list_modules() if is_model(architecture) and architecture in list_models(module=each)), None)
    if module:
        yield from get_close_matches(architecture, list_models(module=module), n=TRIED, cutoff=0)


def _shapes(tensors: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {key: tuple(value.shape) for key, value in tensors.items() if not key.endswith("num_batches_tracked")}


def state_digest(model: nn.Module) -> str:
    """A SHA-256 over the names, types, shapes and bytes of a model's parameters and buffers, as they are in memory."""
    digest = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        if isinstance(value, Tensor):
            digest.update(f"{name}\0{value.dtype}\0{tuple(value.shape)}\0".encode())
            digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
