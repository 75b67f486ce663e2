"""The groups of metrics there are: what each computes, on how many images at most, and what it costs in passes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property

from assay.corruptions._imagenet_c import IMAGENET_C
from assay.corruptions._sequences import SEQUENCES
from assay.errors import StudyError, unknown
from assay.language.metrics import Metric, read_metric
from assay.language.plugs import describe
from assay.provenance.fingerprints import closure, code_hash, computes, computing_closure, digest, source_hash
from assay.scorecard import attacking, classifying, corrupting, costing, explaining, foreign, labelling, representing, shifting
from assay.scorecard.subject import Subject
from assay.scorecard.values import Skipped, Value

ALL = 10**9  # images


@dataclass(frozen=True)
class Group:
    """A group of metrics, one job for a model.

    measure: what computes it. plugs: those it uses, as "kind/name". images: test images it looks at, at most, unless told
    otherwise. headline: the metrics that models are compared by. forward, backward: passes an image without and with gradients,
    beside the one that all groups share. changed: images made from one, by corruption or otherwise. gradients: whether it can
    do nothing without them.
    """

    name: str
    measure: Callable[[Subject], Iterator[Value | Skipped]]
    metrics: dict[str, str]
    plugs: tuple[str, ...]
    images: int = ALL
    headline: tuple[str, ...] = ()
    forward: float = 0.0
    backward: float = 0.0
    changed: float = 0.0
    gradients: bool = False

    @cached_property
    def code(self) -> str:
        """A digest of the code that its numbers are computed with."""
        own = {name: source_hash(name) for name in closure(self.measure.__module__) if name.startswith("assay.scorecard.")}
        used = {name for plug in self.plugs for name in computing_closure(describe(*plug.split("/")).module)}
        reached = {name for name in closure(self.measure.__module__) if computes(name)}
        return digest(own | {name: code_hash(name) for name in used | reached})


def _plugs(kind: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{kind}/{name}" for name in names)


METHODS = len(explaining.METHODS)
FILMED = len(SEQUENCES) * corrupting.FRAMES
CORRUPTED = len(IMAGENET_C) * len(corrupting.SEVERITIES)
SEARCHED = attacking.RUNGS + attacking.HALVINGS
SETS = 2 + len(foreign.OUTSIDE)  # the own images and noise among them

CALIBRATION = ("ece", "classwise_ece", "rms_calibration_error", "brier", "temperature")

GROUPS = (
    Group("accuracy", classifying.accuracy, classifying.METRICS, (), headline=("top1",)),
    Group(
        "calibration",
        classifying.calibration,
        classifying.METRICS,
        _plugs("metrics", *CALIBRATION),
        headline=("ece", "nll"),
    ),
    Group(
        "corruptions",
        corrupting.corruptions,
        corrupting.METRICS,
        _plugs("corruptions", *IMAGENET_C),
        images=500,
        headline=("corrupted_error",),
        forward=CORRUPTED,
        changed=CORRUPTED,
    ),
    Group(
        "flips",
        corrupting.flips,
        corrupting.METRICS,
        _plugs("metrics", "flip_probability"),
        images=100,
        headline=("flips",),
        forward=FILMED,
        changed=FILMED,
    ),
    Group(
        "attacks",
        attacking.attacks,
        attacking.METRICS,
        _plugs("attacks", "fgsm", "pgd"),
        images=200,
        headline=("attacked_top1", "minimal_size"),
        forward=3 + 10 + SEARCHED,  # of each attack, of each noise, of the search
        backward=1 + 2 * attacking.STEPS,
        gradients=True,
        changed=10,
    ),
    Group(
        "ood",
        foreign.ood,
        foreign.METRICS,
        (*_plugs("scores", "msp", "odin"), *_plugs("metrics", "auroc", "fpr95"), *_plugs("worlds", *foreign.OUTSIDE)),
        images=300,
        headline=("mean_auroc",),
        forward=2 * SETS - 1,
        backward=SETS,
        changed=SETS - 1,
    ),
    Group(
        "shifts",
        shifting.shifts,
        shifting.METRICS,
        (),
        images=500,
        headline=("mean_consistency",),
        forward=len(shifting.BATTERY),
        changed=len(shifting.BATTERY),
    ),
    Group("shape", shifting.shape_bias, shifting.METRICS, (), images=1000, headline=("shape_bias",), forward=1),
    Group(
        "attributions",
        explaining.attributions,
        explaining.METRICS,
        (
            *_plugs("attributions", *explaining.METHODS),
            *_plugs("metrics", "insertion", "deletion", "rank_correlation", "pointing"),
        ),
        images=32,
        forward=METHODS * 2 * (explaining.STEPS + 1),
        backward=2 * (3 + explaining.PATH),
        gradients=True,
    ),
    Group(
        "representation",
        representing.representation,
        representing.METRICS,
        _plugs("metrics", "knn", "intrinsic_dimension"),
        images=5000,
        headline=("knn", "linear_probe"),
    ),
    Group("labels", labelling.labels, labelling.METRICS, _plugs("scores", "confident_learning")),
    Group("duplicates", labelling.duplicates, labelling.METRICS, (), images=5000),
    Group(
        "cost",
        costing.cost,
        costing.METRICS,
        (),
        images=32,
        headline=("images_per_second",),
        forward=costing.TIMES + 1,
    ),
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
