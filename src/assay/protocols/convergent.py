"""Layer by layer, how alike the representations of two networks are: unit by unit, by sparse mapping, and as subspaces.

The comparisons of "Convergent Learning: Do different neural networks learn the same representations?" (P011) on test images:
one-to-one and semi-matching of units by correlation, L1-regularised prediction of one network from the other; similarity of the
spanned subspaces by CKA and SVCCA, which the paper's spectral clustering of units stands for. A unit is a channel; its samples
are all positions in all images.
"""

from collections.abc import Iterator
from typing import Annotated

import numpy as np
import torch
from annotated_types import Ge
from torch import Tensor

from assay.language.plugs import Parent
from assay.measuring.arm import Arm
from assay.measuring.evaluate import outputs
from assay.metrics._units import correlations
from assay.metrics.best_correlation import best_correlation
from assay.metrics.cka import cka
from assay.metrics.matched_correlation import matched_correlation
from assay.metrics.sparse_prediction import sparse_prediction
from assay.metrics.svcca import svcca
from assay.metrics.unmatched_share import unmatched_share
from assay.training.network import Network, Trained

METRICS = {
    "matched": "Correlation of matched units [-1 to 1, higher is better]: mean correlation of units matched one to one; x is "
    "the layer, counted from 1, in all metrics",
    "best": "Correlation of most similar units [-1 to 1, higher is better]: mean correlation of each unit with the most "
    "similar one (semi-matching)",
    "unmatched": "Units without a partner [0 to 1, lower is better]: share of units that correlate below 0.5 with every unit "
    "of the other network",
    "one_r2": "Explained by one unit [R2, 0 to 1, higher is better]: variance of the other network's units explained by one "
    "unit each, mean",
    "sparse_r2": "Explained by a sparse mapping [R2, at most 1, higher is better]: variance explained by L1-regularised "
    "prediction, mean, on held-out samples",
    "dense_r2": "Explained by a dense mapping [R2, at most 1, higher is better]: variance explained by prediction without "
    "regularisation, mean, on held-out samples",
    "cka": "Linear CKA [0 to 1, higher is better]: linear centred kernel alignment",
    "svcca": "SVCCA [0 to 1, higher is better]: mean canonical correlation of the leading subspaces (99% of the variance)",
}

IMAGES = 1024  # whose activations are held at once: 12 GB for all stages of two ResNet-50 at 224 pixels


def convergent(
    arm: Arm,
    *,
    other: Annotated[Trained, Parent()],
    layers: list[str] = ("layer1", "layer2", "layer3", "layer4"),
    samples: Annotated[int, Ge(16)] = 4096,
    decay: Annotated[float, Ge(0)] = 0.05,
    mismatched: bool = False,
) -> Iterator[tuple[str, int, float]]:
    """Compare the arm's network with `other` on the first 1,024 test images. layers: modules of the model, in order; samples:
    positions drawn from each.

    decay: of the L1-regularised prediction. mismatched: give the other network other images than the first, which leaves only
    what does not depend on the image.
    """
    images = arm.world.test.images[:IMAGES]
    shifted = images.roll(1, dims=0) if mismatched else images
    first, second = activations(arm.network, images, layers), activations(other.network, shifted, layers)
    for depth, layer in enumerate(layers, 1):
        rows = torch.randperm(len(first[layer]), generator=arm.generator("rows", layer), device=arm.device)[:samples]
        x, y = first[layer][rows].cpu().numpy(), second[layer][rows].cpu().numpy()
        yield "matched", depth, matched_correlation(x, y)
        yield "best", depth, best_correlation(x, y)
        yield "unmatched", depth, unmatched_share(x, y)
        yield "one_r2", depth, single_prediction(x, y)
        yield "sparse_r2", depth, sparse_prediction(x, y, decay=decay)
        yield "dense_r2", depth, sparse_prediction(x, y, decay=0.0)
        yield "cka", depth, cka(x, y)
        yield "svcca", depth, svcca(x, y)
        arm.keep(f"correlations_{depth}", correlations(x, y))


def single_prediction(first: np.ndarray, second: np.ndarray) -> float:
    """Mean over the units of the second (N, Q) of the largest squared correlation with a unit of the first (N, P)."""
    return float((correlations(first, second) ** 2).max(0).mean())


def activations(network: Network, images: Tensor, layers: list[str]) -> dict[str, Tensor]:
    """Outputs of the named modules as (N * positions, units), image after image. StudyError for a module the model has not."""
    found = outputs(network, images, layers)
    return {layer: _rows(found.pop(layer)) for layer in layers}


def _rows(output: Tensor) -> Tensor:
    """(B, C, H, W) as (B * H * W, C); (B, C) stays."""
    return output.movedim(1, -1).flatten(0, -2) if output.ndim > 2 else output
