"""How much a classifier leans on each of two shortcuts: accuracy where one or both are uncommon, against the usual mix.

UrbanCars' metrics, "A Whac-A-Mole Dilemma: Shortcuts Come in Multiples Where Mitigating One Amplifies Others" (P093). In-
distribution accuracy weighs the accuracies of the four combinations (each shortcut common or uncommon for the class) by
their shares in training; a gap is the accuracy where a shortcut is uncommon less the in-distribution accuracy, so 0 means
no reliance and the more negative the more.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from assay.data.batch import TensorSplit
from assay.errors import StudyError, unknown
from assay.measuring.arm import Arm
from assay.measuring.evaluate import predict

METRICS = {
    "id_accuracy": "Accuracy in distribution [0 to 1, higher is better]: accuracy with the combinations of shortcuts as "
    "frequent as in training",
    "background_gap": "Background gap [-1 to 1, higher is better]: accuracy where only the background is uncommon for the "
    "class, less id_accuracy",
    "co_object_gap": "Co-object gap [-1 to 1, higher is better]: accuracy where only the co-object is uncommon for the class, "
    "less id_accuracy",
    "both_gap": "Gap of both [-1 to 1, higher is better]: accuracy where both are uncommon for the class, less id_accuracy",
    "worst_group": "Worst group's accuracy [0 to 1, higher is better]: lowest accuracy of the groups of equal class, "
    "background and co-object",
}
FACTORS = ("background", "co_object")


def shortcuts(arm: Arm) -> Iterator[tuple]:
    """Test accuracy by group; factors "background" and "co_object" (N,) hold the class each of them goes with."""
    test, train = arm.world.test, arm.world.train
    for name in FACTORS:
        if name not in test.factors:
            raise StudyError(f"protocol shortcuts: {unknown('factor', name, test.factors)}; use the world urban_shapes")
    correct = predict(arm.network, test.images).argmax(1) == test.labels
    accuracy = by_combination(correct.double(), test)
    usual = float((accuracy * shares(train)).sum())
    yield "id_accuracy", usual
    yield "background_gap", float(accuracy[1, 0]) - usual
    yield "co_object_gap", float(accuracy[0, 1]) - usual
    yield "both_gap", float(accuracy[1, 1]) - usual
    groups = torch.stack([test.labels, *(test.factors[name] for name in FACTORS)], 1).unique(dim=0, return_inverse=True)[1]
    yield "worst_group", min(float(correct[groups == group].double().mean()) for group in groups.unique())


def uncommon(split: TensorSplit) -> tuple[Tensor, Tensor]:
    """(N,) 1 where the background, and 1 where the co-object, is not the one that goes with the class."""
    background, co_object = ((split.factors[name] != split.labels).long() for name in FACTORS)
    return background, co_object


def by_combination(values: Tensor, split: TensorSplit) -> Tensor:
    """(2, 2) mean over classes of the class means; first index background uncommon, second co-object uncommon."""
    background, co_object = uncommon(split)
    means = torch.zeros(2, 2, dtype=values.dtype, device=values.device)
    classes = split.labels.unique()
    for b, c in ((0, 0), (0, 1), (1, 0), (1, 1)):
        here = (background == b) & (co_object == c)
        means[b, c] = torch.stack([values[here & (split.labels == label)].mean() for label in classes]).mean()
    return means


def shares(split: TensorSplit) -> Tensor:
    """(2, 2) share of each combination in a split, indices as in by_combination."""
    background, co_object = uncommon(split)
    return torch.bincount(2 * background + co_object, minlength=4).reshape(2, 2).double() / len(split.labels)
