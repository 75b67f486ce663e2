#!/usr/bin/env bash
# scipy 1.17.1: ndimage.sobel of a stack of images along one image axis mixes neighbouring images of the stack.
#
# Expected: the derivative along `axis` of each image, as one gets image by image; gaussian_filter of a stack can be told to leave
# an axis alone (a sigma of 0, or axes=), sobel and prewitt can not.
# Seen: the derivative along `axis`, smoothed by 1, 2, 1 along all other axes, the one that counts the images among them. An image's
# edges get half the weight of its own from the image before and from the one behind, whatever these show.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check scipy==1.17.1 numpy==2.4.6
venv/bin/python << 'END'
import numpy as np
from scipy import ndimage

stack = np.zeros((3, 7, 7))
stack[0, :, 4:] = 1.0  # an edge in the first image; the others are empty
together = ndimage.sobel(stack, axis=2)
alone = np.stack([ndimage.sobel(image, axis=1) for image in stack])
share = np.abs(together[1]).max() / np.abs(alone[0]).max()
print(f"edges of the empty second image: {np.abs(alone[1]).max():g} alone, {np.abs(together[1]).max():g} in the stack")
assert np.abs(alone[1]).max() == 0 and np.abs(together[1]).max() > 0, "changed: images of a stack are kept apart"
assert share == 1.0, f"changed: {share:g} of the neighbour's edge"
print("as seen: an empty image has the edges of its neighbour")
END
