"""The groups of metrics there are: what each computes, on how many images at most, and what it costs in passes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

from assay.corruptions._imagenet_c import IMAGENET_C
from assay.corruptions._sequences import SEQUENCES
from assay.errors import StudyError, unknown
from assay.language.metrics import Metric, read_metric
from assay.scorecard import attacking, classifying, corrupting, costing, explaining, foreign, labelling, representing, shifting
from assay.scorecard.subject import Subject
from assay.scorecard.values import Skipped, Value

ALL = 10**9  # images


@dataclass(frozen=True)
class Group:
    """A group of metrics, one job for a model.

    measure: what computes it. images: test images it looks at, at most, unless told otherwise. forward, backward: passes an
    image without and with gradients, beside the one that all groups share. changed: images made from one, by corruption or
    otherwise. headline: the metrics that models are compared by.
    """

    name: str
    measure: Callable[[Subject], Iterator[Value | Skipped]]
    metrics: dict[str, str]
    images: int
    headline: tuple[str, ...]
    forward: float = 0.0
    backward: float = 0.0
    changed: float = 0.0

    @property
    def module(self) -> str:
        """Where its code is."""
        return self.measure.__module__


METHODS = len(explaining.METHODS)
FILMED = len(SEQUENCES) * corrupting.FRAMES
CORRUPTED = len(IMAGENET_C) * len(corrupting.SEVERITIES)
SEARCHED = attacking.RUNGS + attacking.HALVINGS
SETS = 2 + len(foreign.OUTSIDE)  # the own images and noise among them

GROUPS = (
    Group("accuracy", classifying.accuracy, classifying.METRICS, ALL, ("top1",)),
    Group("calibration", classifying.calibration, classifying.METRICS, ALL, ("ece", "nll")),
    Group(
        "corruptions",
        *(corrupting.corruptions, corrupting.METRICS, 500, ("corrupted_error",), CORRUPTED, 0, CORRUPTED),
    ),
    Group("flips", corrupting.flips, corrupting.METRICS, 100, ("flips",), FILMED, 0, FILMED),
    Group(
        "attacks",
        *(attacking.attacks, attacking.METRICS, 200, ("attacked_top1", "minimal_size")),
        *(3 + 10 + SEARCHED, 1 + 2 * attacking.STEPS + SEARCHED, 10),
    ),
    Group("ood", foreign.ood, foreign.METRICS, 300, ("mean_auroc",), 2 * SETS - 1, SETS, SETS - 1),
    Group(
        "shifts",
        *(shifting.shifts, shifting.METRICS, 500, ("mean_consistency",), len(shifting.BATTERY), 0, len(shifting.BATTERY)),
    ),
    Group("shape", shifting.shape_bias, shifting.METRICS, 1000, ("shape_bias",), 1),
    Group(
        "attributions",
        *(explaining.attributions, explaining.METRICS, 32, (), METHODS * 2 * (explaining.STEPS + 1), 2 * (3 + 16)),
    ),
    Group("representation", representing.representation, representing.METRICS, 5000, ("knn", "linear_probe")),
    Group("labels", labelling.labels, labelling.METRICS, ALL, ()),
    Group("duplicates", labelling.duplicates, labelling.METRICS, 5000, ()),
    Group("cost", costing.cost, costing.METRICS, 32, ("images_per_second",), costing.TIMES + 1),
)
BY_NAME = {group.name: group for group in GROUPS}


def chosen(only: list[str] | None) -> tuple[Group, ...]:
    """The groups of these names, in the usual order; all where none is named. StudyError for a name that is none."""
    for name in only or []:
        if name not in BY_NAME:
            raise StudyError(f"--only: {unknown('group of metrics', name, BY_NAME)}")
    return tuple(group for group in GROUPS if not only or group.name in only)


@cache
def described() -> dict[str, Metric]:
    """What each metric's line says, by name."""
    return {name: read_metric(name, line) for group in GROUPS for name, line in group.metrics.items()}
