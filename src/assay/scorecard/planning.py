"""What measuring will take, before it starts: minutes from two passes that were timed, and fewer images in a given time."""

from collections.abc import Sequence
from dataclasses import dataclass

from assay.scorecard.groups import Group
from assay.scorecard.probing import Probe

STARTING = 5.0  # seconds of a job before it computes: libraries, weights
CHANGED = 60e-9  # seconds a number of an image that is changed by a corruption or the like, mean over all
LEAST = 8  # images that a group looks at, however short the time


@dataclass(frozen=True)
class Costs:
    """Seconds of a model's jobs: the answers that all groups share, and each group's own."""

    answers: float
    groups: dict[str, float]

    @property
    def total(self) -> float:
        return self.answers + sum(self.groups.values())


def costs(groups: Sequence[Group], found: Probe, counts: dict[str, int], images: int, numbers: int) -> Costs:
    """Seconds on one core. images: of which answers are wanted. numbers: in one image, C * H * W."""

    def seconds(group: Group) -> float:
        image = group.forward * found.forward + group.backward * found.backward + group.changed * CHANGED * numbers
        return STARTING + counts[group.name] * image

    return Costs(STARTING + images * found.forward, {group.name: seconds(group) for group in groups})


def within(
    groups: Sequence[Group],
    probes: Sequence[Probe],
    test: int,
    train: int,
    minutes: float | None,
    most: int | None = None,
    numbers: int = 0,
) -> dict[str, int]:
    """Test images that each group looks at: its own number or `most`; in so many minutes of one core, of all groups the same
    share, the largest that fits, but at least LEAST images. Images are taken in an order that is balanced over the classes."""
    full = {group.name: min(test, group.images if most is None else most) for group in groups}
    if minutes is None:
        return full

    def taken(share: float) -> dict[str, int]:
        return {name: min(count, max(LEAST, int(share * count))) for name, count in full.items()}

    def seconds(share: float) -> float:
        return sum(costs(groups, found, taken(share), test + train, numbers).total for found in probes)

    low, high = 0.0, 1.0
    if seconds(high) <= 60 * minutes:
        return full
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if seconds(middle) <= 60 * minutes else (low, middle)
    return taken(low)
