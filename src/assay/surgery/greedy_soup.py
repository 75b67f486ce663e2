"""Greedy soup: add fine-tuned networks to an average one by one, best first, and keep each that does not hurt held-out accuracy.

"Model soups: averaging weights of multiple fine-tuned models improves accuracy without increasing inference time" (P308),
recipe 1. Deviation as in uniform_soup: batch norm's statistics are computed anew for every average of two or more.
"""

from typing import Annotated

from assay.language.plugs import Parent
from assay.surgery._averaging import accuracy, held_out, soup
from assay.training.network import Bench, Network, Trained


def greedy_soup(
    network: Network,
    bench: Bench,
    *,
    members: list[Annotated[Trained, Parent()]],
    choose_on: str = "held_out",
) -> Network:
    """choose_on: the world's further split that orders the members and decides; `network` itself is not used.

    Its accuracy on that split is never below that of the best member. StudyError for a missing split or different architectures.
    """
    split, images = held_out(bench, choose_on), bench.world.train.images
    ranked = sorted((member.network for member in members), key=lambda each: -accuracy(each, split))
    kept, best = ranked[:1], accuracy(ranked[0], split)
    for candidate in ranked[1:]:
        tried = accuracy(soup([*kept, candidate], images), split)
        if tried >= best:
            kept, best = [*kept, candidate], tried
    return soup(kept, images)
