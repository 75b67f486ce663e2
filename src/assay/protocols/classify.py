"""How well a network classifies: test accuracy and loss, what it made of wrong training labels, accuracy under attack.

The measures of "mixup: Beyond Empirical Risk Minimization" (P166): test error, training error on corrupted and on real labels
(its table 2) and robustness to adversarial examples (its table 3), as shares that are right.
"""

from collections.abc import Callable, Iterator
from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor

from assay.language.plugs import Plug
from assay.measuring.arm import Arm
from assay.measuring.evaluate import batched, predict
from assay.metrics.top1 import top1

METRICS = {
    "top1": "Test accuracy [0 to 1, higher is better]: share of test images classified correctly",
    "loss": "Test loss [nats, lower is better]: mean cross-entropy on test images",
    "train_top1": "Accuracy on training labels [0 to 1, neither is better]: share of training images given their assigned "
    "label, wrong ones included",
    "memorised": "Wrong labels memorised [0 to 1, lower is better]: share of wrongly labelled training images given that wrong"
    " label",
    "recovered": "True labels recovered [0 to 1, higher is better]: share of wrongly labelled training images given their true"
    " label",
    "adversarial": "Accuracy under attack [0 to 1, higher is better]: share of attacked test images classified correctly",
}


def classify(arm: Arm, *, attack: Annotated[Callable, Plug("attacks")] | None = None) -> Iterator[tuple[str, float]]:
    """Measure an arm; memorised and recovered if some training labels are wrong, adversarial if an attack is given."""
    test, train = arm.world.test, arm.world.train
    logits = predict(arm.network, test.images)
    yield "top1", top1(logits, test.labels)
    yield "loss", F.cross_entropy(logits, test.labels).item()
    seen = predict(arm.network, train.images)
    yield "train_top1", top1(seen, train.labels)
    true = train.factors.get("clean_label", train.labels)
    wrong = train.labels != true
    if wrong.any():
        yield "memorised", top1(seen[wrong], train.labels[wrong])
        yield "recovered", top1(seen[wrong], true[wrong])
    if attack is not None:
        generator = arm.generator("attack")

        def attacked_logits(images: Tensor, labels: Tensor) -> Tensor:
            attacked = attack(arm.network, images, labels, generator)
            with torch.no_grad():
                return arm.network(attacked)

        yield "adversarial", top1(batched(attacked_logits, test.images, test.labels), test.labels)
