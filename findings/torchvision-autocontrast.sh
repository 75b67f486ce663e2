#!/usr/bin/env bash
# torchvision 0.28.0: autocontrast of a tensor of bytes ends at 254 for some ranges, and is a level lower than Pillow's.
#
# Expected: the largest grey level becomes 255, as the documentation says ("the lightest becomes white") and as for the same image
# given as a Pillow image.
# Seen: levels 10 to 61 become 0, 4, 9, 14, ..., 254 where Pillow has 0, 5, 10, 15, ..., 255: (x - 10) * (255 / 51) is computed in
# float32, where 255 / 51 and its products lie just below, and then cut off. 51 of 52 pixels differ between the two forms.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torchvision==0.28.0 torch==2.13.0 numpy pillow==13.0.0
venv/bin/python << 'END'
import torch

for name in ("nms", "qnms"):  # torchvision beside a torch for CPUs alone looks for these two, which nothing here calls
    if torch.version.cuda is None and not hasattr(torch.ops.torchvision, name):
        torch.library.define(f"torchvision::{name}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
import numpy as np
from PIL import Image
from torchvision.transforms.v2 import functional

grey = np.arange(10, 62, dtype=np.uint8)[None]
tensor = functional.autocontrast(torch.from_numpy(grey)[None]).flatten().tolist()
pillow = np.asarray(functional.autocontrast(Image.fromarray(grey))).ravel().tolist()
differing = sum(a != b for a, b in zip(tensor, pillow))
print(f"tensor: {tensor[:4]} ... {tensor[-1]}, Pillow image: {pillow[:4]} ... {pillow[-1]}, {differing} of {len(pillow)} differ")
assert (pillow[0], pillow[-1]) == (0, 255), "changed: Pillow's form"
assert tensor[-1] == 254 and differing == 51, "changed: the tensor's form reaches white now"
print("as seen: the lightest pixel of a tensor is not white")
END
