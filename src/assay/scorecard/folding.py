"""The batch normalisation of a network that no longer trains goes into the convolution before it: the same answers, sooner.

In evaluation mode batch normalisation is a fixed scale and shift of each channel, and so can be part of the convolution's weights
and bias, as in section 3.2 of "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference",
Jacob et al. 2018; PyTorch computes these. On a CPU a pass of EfficientNet-Lite0 takes about half the time, with gradients three
quarters. Which normalisation follows which convolution is seen in a pass of the model, whatever its code is; afterwards it has to
answer as before, or nothing is changed.
"""

from collections import Counter
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from assay.training import shim  # noqa: F401  (before timm)

# isort: split
from timm.layers import BatchNormAct2d, Conv2dSame

CONVOLUTIONS = (nn.Conv2d, Conv2dSame)  # exactly these: what others do with their weights is not known
NORMS = (nn.BatchNorm2d, BatchNormAct2d)
CLOSE = 1e-4  # largest change of a logit, as a share of the largest logit


@torch.no_grad()
def fold(model: nn.Module, images: Tensor) -> int:
    """Fold what can be folded, in place; how many normalisations were. images (B, C, H, W): normalised, to see the model by.

    The model is in evaluation mode and takes these images. It is left as it is where its answers would change.
    """
    before = model(images.clone())
    pairs = _pairs(model, images)
    replaced: dict[str, nn.Module] = {}
    for convolution, norm in pairs:
        old = {name: model.get_submodule(name) for name in (convolution, norm)}
        replaced |= old
        _put(model, convolution, fuse_conv_bn_eval(old[convolution], old[norm]).requires_grad_(False))
        _put(model, norm, nn.Sequential(old[norm].drop, old[norm].act) if hasattr(old[norm], "act") else nn.Identity())
    if not pairs or _close(model, images, before):
        return len(pairs)
    for name, module in replaced.items():
        _put(model, name, module)
    return 0


def _close(model: nn.Module, images: Tensor, before: Tensor) -> bool:
    try:
        after = model(images.clone())
    except Exception:  # somebody else's code, which may look for what is no longer there
        return False
    return bool((after - before).abs().max() <= CLOSE * before.abs().max())


def _pairs(model: nn.Module, images: Tensor) -> list[tuple[str, str]]:
    """Names of convolutions and of the normalisations that see what they give, each taken once in a pass."""
    given: dict[int, tuple[Tensor, str]] = {}  # tensors are kept, or another one could get the same id
    follows: dict[str, str] = {}
    calls: Counter[str] = Counter()

    def gives(name: str) -> Callable:
        def note(module: nn.Module, inputs: tuple, output: Tensor) -> None:
            calls[name] += 1
            given[id(output)] = output, name

        return note

    def takes(name: str) -> Callable:
        def note(module: nn.Module, inputs: tuple, output: Tensor) -> None:
            calls[name] += 1
            if inputs and id(inputs[0]) in given:
                follows[name] = given[id(inputs[0])][1]

        return note

    parts = [(name, module) for name, module in model.named_modules() if name and _foldable(module)]
    notes = [(module, gives(name) if isinstance(module, nn.Conv2d) else takes(name)) for name, module in parts]
    handles = [module.register_forward_hook(note) for module, note in notes]
    try:
        model(images.clone())
    finally:
        for handle in handles:
            handle.remove()
    followers = Counter(follows.values())
    return [(one, norm) for norm, one in follows.items() if calls[one] == calls[norm] == followers[one] == 1]


def _foldable(module: nn.Module) -> bool:
    """Whether it is a convolution or normalisation that does nothing else, with statistics of its own."""
    hooked = module._forward_hooks or module._forward_pre_hooks  # as of spectral normalisation
    known = type(module) in CONVOLUTIONS or (type(module) in NORMS and module.running_mean is not None)
    return known and not hooked


def _put(model: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, own = name.rpartition(".")
    setattr(model.get_submodule(parent), own, module)
