"""The smallest size at which an attack changes a network's answer, image by image."""

from collections.abc import Callable

import torch
from torch import Tensor, nn


def smallest(
    attack: Callable,
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    generator: torch.Generator,
    *,
    largest: float,
    rungs: int = 8,
    halvings: int = 6,
) -> tuple[Tensor, Tensor]:
    """Images (B, C, H, W) at the smallest size found at which the answer is not labels (B,), and these sizes (B,).

    attack: one with a size `eps`, which is given here as one number an image, (B, 1, 1, 1). Sizes double up to `largest` over
    the rungs of a ladder until the answer changes, since a larger step of a fixed direction may undo what a smaller one did;
    `halvings` then narrow down the last doubling, to a relative precision of 2 ** -halvings. An image whose answer never
    changes has size inf and comes back as attacked at the largest; one that is answered otherwise from the start has size 0.
    """
    found = images.clone()
    with torch.no_grad():
        left = network(images).argmax(1) == labels
    upper = torch.where(left, torch.inf, 0.0).to(images.dtype)
    lower = torch.zeros_like(upper)

    def attempt(rows: Tensor, sizes: Tensor) -> Tensor:
        """Attack the rows at these sizes, keep what changes an answer; which did."""
        moved = attack(network, images[rows], labels[rows], generator, eps=sizes[:, None, None, None])
        with torch.no_grad():
            changed = network(moved).argmax(1) != labels[rows]
        upper[rows[changed]], lower[rows[~changed]] = sizes[changed], sizes[~changed]
        found[rows[changed]] = moved[changed]
        return moved

    for rung in reversed(range(rungs)):
        rows = upper.isinf().nonzero().flatten()
        if not len(rows):
            break
        moved = attempt(rows, torch.full_like(upper[rows], largest / 2**rung))
    never = upper.isinf()
    if never.any():
        found[never] = moved[never[rows]]
    for _ in range(halvings):
        rows = (upper.isfinite() & (upper > 0)).nonzero().flatten()
        attempt(rows, (lower[rows] + upper[rows]) / 2)
    return found, upper
