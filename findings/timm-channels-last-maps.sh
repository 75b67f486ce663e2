#!/usr/bin/env bash
# timm 1.0.31: forward_features of some image models gives maps with channels last, (B, H, W, C), without a word.
#
# Expected: maps (B, C, H, W), as of ResNets and ConvNeXts, from every model that has maps.
# Seen: swin_tiny and others give (B, H, W, C); the attribute output_fmt, "NHWC" there, is what tells, and models whose maps are
# (B, C, H, W) mostly have no such attribute. Code that takes the mean over axes 2 and 3, as Grad-CAM and pooled features do,
# runs on both and computes something else: a weight a column instead of one a channel.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check timm==1.0.31 torch==2.13.0 torchvision==0.28.0
venv/bin/python << 'END'
import torch

for name in ("nms", "qnms"):  # torchvision beside a torch for CPUs alone looks for these two, which nothing here calls
    if torch.version.cuda is None and not hasattr(torch.ops.torchvision, name):
        torch.library.define(f"torchvision::{name}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
import timm

shapes = {}
for name in ("resnet18", "convnext_atto", "swin_tiny_patch4_window7_224", "swinv2_tiny_window8_256", "mambaout_femto"):
    model = timm.create_model(name).eval()
    size = model.pretrained_cfg["input_size"][-1]
    with torch.no_grad():
        maps = model.forward_features(torch.zeros(1, 3, size, size))
    shapes[name] = tuple(maps.shape)
    print(f"{name}: {shapes[name]}, {model.num_features} features, output_fmt {getattr(model, 'output_fmt', 'not there')}")
    first = maps.shape[1] == model.num_features
    assert first != (getattr(model, "output_fmt", "NCHW") == "NHWC"), "changed: output_fmt does not tell any more"
last = [name for name, shape in shapes.items() if shape[1] == shape[2]]
assert last == ["swin_tiny_patch4_window7_224", "swinv2_tiny_window8_256", "mambaout_femto"], "changed: other models have them"
print("as seen: maps of some models have their channels last")
END
