"""Write what other libraries say of the same logits, features and images: tests/scorecard/others.json, which tests compare with.

Not part of a run or of the tests: torchmetrics, pytorch-ood and RobustBench are no dependencies. RobustBench's own dependencies,
which its model zoo needs and its evaluation does not, may be missing.

usage: python bench/others.py FOLDER    (with packages installed there by: pip install --no-deps --target FOLDER torchmetrics
                                         lightning-utilities pytorch-ood robustbench)
"""

import json
import sys
from importlib.metadata import distributions
from pathlib import Path
from unittest.mock import MagicMock

ROOT = Path(__file__).resolve().parents[1]
WANTED = ("torchmetrics", "pytorch-ood", "robustbench")
ABSENT = ("geotorch", "gdown", "autoattack", "autoattack.state", "pkg_resources", "torchdiffeq")


def main(folder: str) -> None:
    sys.path[:0] = [str(ROOT / "tests" / "scorecard"), folder]
    sys.modules.update({name: MagicMock() for name in ABSENT})
    import torch
    from cases import corrupted_photographs, features, labels, lite0, logits
    from pytorch_ood.detector import MaxSoftmax
    from pytorch_ood.metrics import AUROC, FPRAtTPR
    from robustbench.utils import clean_accuracy
    from torchmetrics.classification import (
        MulticlassAccuracy,
        MulticlassCalibrationError,
    )

    answers, truth = logits(), labels()
    classes = answers.shape[1]
    found = {
        "top1": MulticlassAccuracy(classes, average="micro")(answers, truth),
        "top5": MulticlassAccuracy(classes, average="micro", top_k=5)(answers, truth),
        "balanced_top1": MulticlassAccuracy(classes, average="macro")(answers, truth),
        "ece": MulticlassCalibrationError(classes, n_bins=15, norm="l1")(answers.double().softmax(1), truth),
    }
    own, outside = features()
    area, rate = AUROC(), FPRAtTPR()
    for rows, outer in ((own, False), (outside, True)):
        score = MaxSoftmax.score(rows.double())
        area.update(score, torch.full((len(rows),), -1 if outer else 0))
        # Theirs catches 95% of outside images, the papers accept 95% of own ones: the two change places.
        rate.update(-score, torch.full((len(rows),), 0 if outer else -1))
    found |= {"auroc": next(iter(area.compute().values())), "fpr95": next(iter(rate.compute().values()))}
    network = lite0()
    for name, (images, truth) in corrupted_photographs().items():
        found[f"robustbench {name}"] = clean_accuracy(network, images, truth, batch_size=4)
    versions = {each.name: each.version for each in distributions(path=[folder]) if each.name in WANTED}
    text = json.dumps({"versions": versions, "values": {name: float(value) for name, value in found.items()}}, indent=1)
    (ROOT / "tests" / "scorecard" / "others.json").write_text(text + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
