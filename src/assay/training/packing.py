"""Networks of one architecture in one network, which computes what each of them does on images of its own.

S is their number. Networks with convolutions become one whose channels are those of each in turn: maps (B, S C, H, W), grouped
convolutions. Networks that only multiply matrices become one whose samples are those of each in turn: (S B, ...), batched
products. Pooling, activations, reshaping and the order of layers are then as they were. Modules are rewritten by their exact
type; of one that is not listed it is not known whether it keeps the networks apart, and UnpackableError is raised.
"""

import copy
from collections.abc import Callable, Sequence
from itertools import chain

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from assay.training.network import Network


class UnpackableError(Exception):
    """The networks cannot be put into one; says why."""


class Packed(nn.Module):
    """S networks in one.

    `packed(images)`: a batch (B, C, H, W) for each network, to logits (S, B, K). `unpack()` writes the weights and statistics of
    each into the networks it was made of.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, networks: Sequence[Network]):
        super().__init__()
        self.count = len(networks)
        self.pairs: list[tuple[Tensor, Sequence[Tensor]]] = []
        convolves = any(isinstance(module, nn.Conv2d) for module in _outside_patches(networks[0].model))
        self.axis = 1 if convolves else 0  # along which the networks' images stand in turn
        for name in ("mean", "std"):
            self.register_buffer(name, torch.cat([getattr(network, name) for network in networks], self.axis))
        self.model = self.rewritten([network.model for network in networks])

    def forward(self, images: Sequence[Tensor]) -> Tensor:
        if self.axis == 1:
            # Of single channels `cat` cannot tell that they are in channels_last.
            joined = torch.cat(list(images), 1).contiguous(memory_format=torch.channels_last)
            seen = (joined - self.mean) / self.std
        else:
            seen = ((torch.stack(list(images)) - self.mean[:, None]) / self.std[:, None]).flatten(0, 1)
        logits = self.model(seen)
        return logits.reshape(self.count, -1, logits.shape[-1])

    @torch.no_grad()
    def unpack(self) -> None:
        for packed, owns in self.pairs:
            for value, own in zip(packed, owns, strict=True):
                own.copy_(value)

    def rewritten(self, modules: Sequence[nn.Module]) -> nn.Module:
        """The modules, one of each network, as one."""
        name = _name(modules[0])
        if name not in REWRITES:
            raise UnpackableError(f"{name} is not known to keep networks apart")
        return REWRITES[name](self, modules)

    def parameter(self, owns: Sequence[nn.Parameter | None]) -> nn.Parameter | None:
        """The networks' parameters (...) as one (S, ...)."""
        if owns[0] is None:
            return None
        return self._joined(owns, nn.Parameter(_stacked(owns), owns[0].requires_grad))

    def buffer(self, owns: Sequence[Tensor]) -> Tensor:
        """The networks' statistics (...) as one (S, ...)."""
        return self._joined(owns, _stacked(owns))

    def _joined(self, owns: Sequence[Tensor], packed: Tensor) -> Tensor:
        self.pairs.append((packed, owns))
        return packed


def _stacked(tensors: Sequence[Tensor]) -> Tensor:
    """Equal shapes and memory formats along a new first axis, each with the strides it had."""
    order = sorted(range(tensors[0].ndim), key=lambda axis: -tensors[0].stride(axis))
    stacked = torch.stack([tensor.detach().permute(order) for tensor in tensors])
    return stacked.permute(0, *(1 + order.index(axis) for axis in range(len(order))))


def _name(module: nn.Module) -> str:
    return f"{type(module).__module__}.{type(module).__qualname__}"


def _names(module: nn.Module) -> list[str]:
    """What its children are called, each time one is used."""
    return [name for name, child in module._modules.items() if child is not None]


def _outside_patches(module: nn.Module) -> chain:
    """The modules below, without those that cut images into patches, which are matrix products."""
    inside = (_outside_patches(child) for child in module.children() if _name(child) != "timm.layers.patch_embed.PatchEmbed")
    return chain([module], *inside)


def _together(packed: Packed, modules: Sequence[nn.Module]) -> nn.Module:
    """A module that does with its children's answers what it does for one network."""
    first = modules[0]
    if any(True for _ in first.parameters(recurse=False)) or getattr(first, "drop_rate", 0):
        raise UnpackableError(f"{_name(first)} has weights or dropout of its own")
    whole = copy.deepcopy(first)
    for name in _names(first):
        setattr(whole, name, packed.rewritten([getattr(module, name) for module in modules]))
    return whole


def _as_it_is(packed: Packed, modules: Sequence[nn.Module]) -> nn.Module:
    """A module that does the same with every channel, or with every sample, and has no weights."""
    return copy.deepcopy(modules[0])


def _dropout(packed: Packed, modules: Sequence[nn.Dropout]) -> nn.Module:
    if modules[0].p:
        raise UnpackableError("dropout draws from one generator for all")
    return copy.deepcopy(modules[0])


def _blur(packed: Packed, modules: Sequence[nn.Module]) -> nn.Module:
    """timm's BlurPool2d, which filters each channel alone."""
    whole = copy.deepcopy(modules[0])
    whole.channels = len(modules) * whole.channels
    whole.filt = whole.filt.repeat(len(modules), 1, 1, 1)
    return whole


class _Convolution(nn.Module):
    """Maps (B, S C, H, W) to (B, S D, ...)."""

    def __init__(self, packed: Packed, modules: Sequence[nn.Conv2d]):
        super().__init__()
        first = modules[0]
        if first.padding_mode != "zeros":
            raise UnpackableError(f"padding_mode {first.padding_mode} is not known to keep networks apart")
        self.weight = packed.parameter([module.weight for module in modules])
        self.bias = packed.parameter([module.bias for module in modules])
        self.options = (first.stride, first.padding, first.dilation, len(modules) * first.groups)
        for hook in first._forward_pre_hooks.values():
            self.register_forward_pre_hook(hook)  # of `assay.training.workarounds`

    def forward(self, maps: Tensor) -> Tensor:
        bias = None if self.bias is None else self.bias.flatten()
        return F.conv2d(maps, self.weight.flatten(0, 1), bias, *self.options)


class _BatchNorm(nn.Module):
    """Maps (B, S C, H, W). Statistics are of each channel, so they are each network's own."""

    def __init__(self, packed: Packed, modules: Sequence[nn.BatchNorm2d]):
        super().__init__()
        first = modules[0]
        if first.momentum is None or not first.track_running_stats or not first.affine:
            raise UnpackableError("only batch normalisation with a moving average and weights is known")
        self.momentum, self.eps = first.momentum, first.eps
        self.weight = packed.parameter([module.weight for module in modules])
        self.bias = packed.parameter([module.bias for module in modules])
        for name in ("running_mean", "running_var", "num_batches_tracked"):
            self.register_buffer(name, packed.buffer([getattr(module, name) for module in modules]))

    def forward(self, maps: Tensor) -> Tensor:
        self.num_batches_tracked.add_(1)
        moments = (self.running_mean.view(-1), self.running_var.view(-1))
        return F.batch_norm(maps, *moments, self.weight.view(-1), self.bias.view(-1), True, self.momentum, self.eps)


class _Linear(nn.Module):
    """Rows (B, S C), of networks in turn, or (S B, ..., C), of samples in turn, to (S B, ..., D)."""

    def __init__(self, packed: Packed, modules: Sequence[nn.Linear]):
        super().__init__()
        self.count, self.inputs = len(modules), modules[0].in_features
        self.weight = packed.parameter([module.weight for module in modules])
        self.bias = packed.parameter([module.bias for module in modules])

    def forward(self, rows: Tensor) -> Tensor:
        if rows.shape[-1] != self.inputs:
            return _product(rows.unflatten(1, (self.count, -1)).transpose(0, 1), self.weight, self.bias).flatten(0, 1)
        return self._by_sample(rows, self.weight, self.bias)

    def some(self, rows: Tensor, outputs: slice) -> Tensor:
        """These outputs alone, of samples in turn."""
        return self._by_sample(rows, self.weight[:, outputs], None if self.bias is None else self.bias[:, outputs])

    def _by_sample(self, rows: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return _product(rows.reshape(self.count, -1, self.inputs), weight, bias).view(*rows.shape[:-1], -1)


def _product(rows: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Rows (S, R, C) by weights (S, D, C), and biases (S, D)."""
    weight = weight.transpose(1, 2)
    return torch.bmm(rows, weight) if bias is None else torch.baddbmm(bias[:, None], rows, weight)


class _LayerNorm(nn.Module):
    """(S B, ..., C), normalised over the last axis."""

    def __init__(self, packed: Packed, modules: Sequence[nn.LayerNorm]):
        super().__init__()
        self.count, self.shape, self.eps = len(modules), modules[0].normalized_shape, modules[0].eps
        self.weight = packed.parameter([module.weight for module in modules])
        self.bias = packed.parameter([module.bias for module in modules])

    def forward(self, rows: Tensor) -> Tensor:
        plain = F.layer_norm(rows, self.shape, eps=self.eps).reshape(self.count, -1, *self.shape)
        return torch.addcmul(self.bias[:, None], plain, self.weight[:, None]).view(rows.shape)


class _Attention(nn.Module):
    """timm's Attention of tokens (S B, N, C) to each other, as plain products: for so few tokens these take two thirds of the
    time of PyTorch's fused kernel."""

    def __init__(self, packed: Packed, modules: Sequence[nn.Module]):
        super().__init__()
        first = modules[0]
        parts = {name: packed.rewritten([getattr(module, name) for module in modules]) for name in _names(first)}
        plain = ("q_norm", "k_norm", "norm", "attn_drop", "proj_drop")
        if any(not isinstance(parts[name], nn.Identity | nn.Dropout) for name in plain) or first.gate is not None:
            raise UnpackableError("this form of attention is not known")
        self.heads, self.scale = first.num_heads, first.scale
        self.qkv, self.proj = parts["qkv"], parts["proj"]

    def forward(self, tokens: Tensor, attn_mask: Tensor | None = None, is_causal: bool = False) -> Tensor:
        return self._seen(*self._by_head(self.qkv(tokens), 3))

    def of_first(self, tokens: Tensor) -> Tensor:
        """What the first token sees, (S B, 1, C)."""
        width = self.qkv.weight.shape[1] // 3
        (queries,) = self._by_head(self.qkv.some(tokens[:, :1], slice(0, width)), 1)
        return self._seen(queries, *self._by_head(self.qkv.some(tokens, slice(width, None)), 2))

    def _by_head(self, tokens: Tensor, parts: int) -> tuple[Tensor, ...]:
        """Tokens (S B, N, parts H D) to each part (S B H, N, D)."""
        return tokens.unflatten(2, (parts, self.heads, -1)).permute(2, 0, 3, 1, 4).flatten(1, 2).unbind()

    def _seen(self, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        weights = torch.bmm(queries * self.scale, keys.transpose(1, 2)).softmax(2)
        seen = torch.bmm(weights, values).unflatten(0, (-1, self.heads))
        return self.proj(seen.transpose(1, 2).flatten(2))


class _LastBlock(nn.Module):
    """timm's Block where the class token alone goes on: tokens (S B, N, C) to that token, (S B, 1, C), of which all others are
    keys and values. What else a block does, it does to each token alone."""

    def __init__(self, block: nn.Module):
        super().__init__()
        self.norm1, self.attn, self.norm2, self.mlp = block.norm1, block.attn, block.norm2, block.mlp

    def forward(self, tokens: Tensor) -> Tensor:
        first = tokens[:, :1] + self.attn.of_first(self.norm1(tokens))
        return first + self.mlp(self.norm2(first))


class _Patches(nn.Module):
    """Images (S B, C, H, W) to maps (S B, D, H / k, W / k) by a convolution whose windows of k pixels do not overlap."""

    def __init__(self, packed: Packed, modules: Sequence[nn.Conv2d]):
        super().__init__()
        first = modules[0]
        if first.kernel_size != first.stride or first.padding != (0, 0) or first.groups > 1:
            raise UnpackableError("patches that overlap are not known")
        self.count, self.sides = len(modules), first.kernel_size
        self.weight = packed.parameter([module.weight for module in modules])
        self.bias = packed.parameter([module.bias for module in modules])

    def forward(self, images: Tensor) -> Tensor:
        down, right = (side // own for side, own in zip(images.shape[2:], self.sides, strict=True))
        # Pixels in the order of channels_last: images and weights are so in memory.
        cut = images.permute(0, 2, 3, 1).unflatten(1, (down, -1)).unflatten(3, (right, -1)).transpose(2, 3)
        weight = self.weight.permute(0, 3, 4, 2, 1).flatten(1, 3)
        maps = torch.baddbmm(self.bias[:, None], cut.reshape(self.count, -1, weight.shape[1]), weight)
        return maps.view(len(images), down, right, -1).permute(0, 3, 1, 2)


def _patch_embedding(packed: Packed, modules: Sequence[nn.Module]) -> nn.Module:
    """timm's PatchEmbed."""
    whole = copy.deepcopy(modules[0])
    whole.proj = _Patches(packed, [module.proj for module in modules])
    whole.norm = packed.rewritten([module.norm for module in modules])
    return whole


class _Tokens(nn.Module):
    """Images (S B, C, H, W) to tokens (S B, 1 + N, D): the class token and N patches, each with its position."""

    def __init__(self, packed: Packed, modules: Sequence[nn.Module]):
        super().__init__()
        self.count = len(modules)
        self.patches = packed.rewritten([module.patch_embed for module in modules])
        self.cls_token = packed.parameter([module.cls_token for module in modules])
        self.positions = packed.parameter([module.pos_embed for module in modules])

    def forward(self, images: Tensor) -> Tensor:
        patches = self.patches(images).unflatten(0, (self.count, -1))
        tokens = torch.cat([self.cls_token.expand(-1, patches.shape[1], -1, -1), patches], 2)
        return (tokens + self.positions).flatten(0, 1)


def _transformer(packed: Packed, modules: Sequence[nn.Module]) -> nn.Module:
    """timm's VisionTransformer with a class token and a position for each token."""
    first = modules[0]
    usual = first.cls_token is not None and first.pos_embed is not None and first.reg_token is None
    if not usual or first.no_embed_class or first.dynamic_img_size or first.attn_pool is not None:
        raise UnpackableError("this form of VisionTransformer is not known")
    bare = [copy.copy(module) for module in modules]
    for module, own in zip(bare, modules, strict=True):
        module._parameters = {}
        module._modules = {name: child for name, child in own._modules.items() if name != "patch_embed"}
    whole = _together(packed, bare)
    whole.cls_token = whole.pos_embed = None  # then tokens are taken as they come
    whole.patch_embed = _Tokens(packed, modules)
    if first.global_pool == "token":
        whole.blocks[-1] = _LastBlock(whole.blocks[-1])
    return whole


REWRITES: dict[str, Callable[[Packed, Sequence[nn.Module]], nn.Module]] = {
    "assay.models.allconv.AllConv": _together,
    "assay.models.convnet.ConvNet": _together,
    "assay.models.linear.Linear": _together,
    "assay.models.mlp.MLP": _together,
    "assay.models.squeezed.Squeezed": _together,
    "timm.layers.adaptive_avgmax_pool.FastAdaptiveAvgPool": _as_it_is,
    "timm.layers.adaptive_avgmax_pool.SelectAdaptivePool2d": _together,
    "timm.layers.attention.Attention": _Attention,
    "timm.layers.blur_pool.BlurPool2d": _blur,
    "timm.layers.mlp.Mlp": _together,
    "timm.layers.norm.LayerNorm": _LayerNorm,
    "timm.layers.patch_embed.PatchEmbed": _patch_embedding,
    "timm.models.resnet.BasicBlock": _together,
    "timm.models.resnet.ResNet": _together,
    "timm.models.vision_transformer.Block": _together,
    "timm.models.vision_transformer.VisionTransformer": _transformer,
    "torch.nn.modules.activation.GELU": _as_it_is,
    "torch.nn.modules.activation.ReLU": _as_it_is,
    "torch.nn.modules.batchnorm.BatchNorm2d": _BatchNorm,
    "torch.nn.modules.container.Sequential": _together,
    "torch.nn.modules.conv.Conv2d": _Convolution,
    "torch.nn.modules.dropout.Dropout": _dropout,
    "torch.nn.modules.flatten.Flatten": _as_it_is,
    "torch.nn.modules.linear.Identity": _as_it_is,
    "torch.nn.modules.linear.Linear": _Linear,
    "torch.nn.modules.normalization.LayerNorm": _LayerNorm,
    "torch.nn.modules.pooling.AdaptiveAvgPool2d": _as_it_is,
    "torch.nn.modules.pooling.MaxPool2d": _as_it_is,
}
