"""Leaderboard: of several networks, keep the one in a given place by accuracy on the test images themselves.

Choosing by the test set is what "Do ImageNet Classifiers Generalize to ImageNet?" (P220) asks about: whoever is chosen so is
flattered by that test set, and loses what it owes to the choice on the next one.
"""

from copy import deepcopy
from typing import Annotated

from annotated_types import Ge
from torch import Size

from assay.errors import StudyError
from assay.language.plugs import Parent
from assay.surgery._averaging import accuracy
from assay.training.network import Bench, Network, Trained


def leaderboard(
    network: Network,
    bench: Bench,
    *,
    members: list[Annotated[Trained, Parent()]],
    place: Annotated[int, Ge(1)] = 1,
) -> Network:
    """place: 1 for the best on the test split of the world, 2 for the next; equals are in the order of `members`.

    Of `network` only the architecture is used, which members must have. StudyError where one has another, or where there are
    fewer members than places.
    """
    if place > len(members):
        raise StudyError(f"surgery leaderboard: place = {place} of {len(members)} members; name more or lower it")
    for number, member in enumerate(members, 1):
        if _shapes(member.network) != _shapes(network):
            raise StudyError(f"surgery leaderboard: member {number} is of another architecture than the arm; name those of one")
    ranked = sorted((member.network for member in members), key=lambda each: accuracy(each, bench.world.test), reverse=True)
    return deepcopy(ranked[place - 1])


def _shapes(network: Network) -> dict[str, Size]:
    return {name: value.shape for name, value in network.state_dict().items()}
