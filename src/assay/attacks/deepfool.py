"""DeepFool: step to the nearest boundary of the network linearised at the image, again and again until the answer changes.

"DeepFool: a simple and accurate method to fool deep neural networks" (P164), algorithm 2: among all other classes k, the one
with the smallest |f_k| / ||w_k||, f_k its logit minus that of the image's own class and w_k the gradient of f_k, gives the step
|f_k| / ||w_k||^2 w_k. Steps add up, and what is tried is (1 + overshoot) times their sum, as in the authors' programme, which
also looks at the ten likeliest classes only; here all are looked at. Nothing is cut to the range of images there; `clip` does.
"""

from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor, nn

from assay.attacks._ball import TINY
from assay.attacks._gradient import within

BEYOND = 1e-4  # added to a step's length, as the authors do: in single precision it may end just before the boundary


def deepfool(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    generator: torch.Generator,
    *,
    steps: Annotated[int, Ge(1)] = 50,
    overshoot: Annotated[float, Ge(0)] = 0.02,
    clip: bool = True,
) -> Tensor:
    """Images (B, C, H, W) moved until the network no longer answers labels (B,), or for `steps` steps; draws nothing.

    The labels are the network's own answers where the distance to its boundary is wanted; an image that is answered otherwise
    stays as it is. There is no size to set: the result is about as near as can be in the Euclidean norm.
    """
    moved, total = images.clone(), torch.zeros_like(images)
    left = torch.arange(len(images), device=images.device)
    for _ in range(steps):
        logits, gradients = linearised(network, moved[left])
        still = logits.argmax(1) == labels[left]
        left, logits, gradients = left[still], logits[still], gradients[still]
        if not len(left):
            break
        total[left] += nearest_boundary(logits, gradients, labels[left])
        moved[left] = within(images[left] + (1 + overshoot) * total[left], clip)
    return moved.detach()


def linearised(network: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
    """Logits (B, K) and their gradients in the images (B, K, C, H, W)."""
    with torch.enable_grad():
        images = images.detach().requires_grad_(True)
        logits = network(images)
        columns = logits.sum(0)
        gradients = [torch.autograd.grad(column, images, retain_graph=True)[0] for column in columns]
    return logits.detach(), torch.stack(gradients, 1)


def nearest_boundary(logits: Tensor, gradients: Tensor, labels: Tensor, beyond: float = BEYOND) -> Tensor:
    """The shortest perturbation (B, C, H, W) that makes another class draw level in the linearisation, and `beyond` further."""
    rows = torch.arange(len(labels), device=labels.device)
    slopes = gradients - gradients[rows, labels][:, None]
    lengths = slopes.flatten(2).norm(dim=2).clamp_min(TINY)
    distances = (logits[rows, labels][:, None] - logits).abs() / lengths
    nearest = distances.scatter(1, labels[:, None], float("inf")).argmin(1)
    scale = (distances[rows, nearest] + beyond) / lengths[rows, nearest]
    return scale[:, None, None, None] * slopes[rows, nearest]
