"""Write tests/scorecard/others.json, what other libraries say of the same logits, model and images; tests compare with it.

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


def reach(folder: str) -> None:
    """Make the libraries of the folder importable beside what both this project and they are asked about."""
    sys.path[:0] = [str(ROOT / "tests" / "scorecard"), folder]
    sys.modules.update({name: MagicMock() for name in ABSENT})
    import assay.training.shim  # noqa: F401  (before torchvision, which the others import)


def main(folder: str) -> None:
    reach(folder)
    from robustbench.utils import clean_accuracy
    from small_models import corrupted_photographs, features, labels, lite0, logits

    found = classified(logits(), labels())
    found |= detected(*features())
    network = lite0()
    for name, (images, truth) in corrupted_photographs().items():
        found[f"robustbench {name}"] = clean_accuracy(network, images, truth, batch_size=4)
    found |= outside_photographs(network)
    versions = {each.name: each.version for each in distributions(path=[folder]) if each.name in WANTED}
    text = json.dumps({"versions": versions, "values": {name: float(value) for name, value in found.items()}}, indent=1)
    (ROOT / "tests" / "scorecard" / "others.json").write_text(text + "\n")


def classified(answers, truth) -> dict:
    """torchmetrics on logits."""
    from torchmetrics.classification import (
        MulticlassAccuracy,
        MulticlassCalibrationError,
    )

    classes = answers.shape[1]
    return {
        "top1": MulticlassAccuracy(classes, average="micro")(answers, truth),
        "top5": MulticlassAccuracy(classes, average="micro", top_k=5)(answers, truth),
        "balanced_top1": MulticlassAccuracy(classes, average="macro")(answers, truth),
        "ece": MulticlassCalibrationError(classes, n_bins=15, norm="l1")(answers.double().softmax(1), truth),
    }


def detected(own, outside) -> dict:
    """pytorch-ood's scores and metrics on logits of own and of outside images."""
    from pytorch_ood.detector import MaxSoftmax

    return compared("", *(MaxSoftmax.score(rows.double()) for rows in (own, outside)))


def outside_photographs(network) -> dict:
    """pytorch-ood's detectors on the model, the photographs against their negatives."""
    from pytorch_ood.detector import ODIN, MaxSoftmax
    from small_models import negatives, photographs

    own, outside = photographs()[0], negatives()
    detectors = {"msp": MaxSoftmax(network), "odin": ODIN(network, eps=0.0014, temperature=1000.0)}
    found = {}
    for name, detector in detectors.items():
        scores = [detector.predict(images).detach() for images in (own, outside)]
        found |= {f"{name} mean own": -scores[0].double().mean(), f"{name} mean outside": -scores[1].double().mean()}
        found |= compared(f"{name} ", *scores)
    return found


def compared(prefix: str, own, outside) -> dict:
    """pytorch-ood's area and rate of outlier scores."""
    import torch
    from pytorch_ood.metrics import AUROC, FPRAtTPR

    area, rate = AUROC(), FPRAtTPR()
    for score, outer in ((own, False), (outside, True)):
        area.update(score, torch.full((len(score),), -1 if outer else 0))
        # Theirs catches 95% of outside images, the papers accept 95% of own ones: the two change places.
        rate.update(-score, torch.full((len(score),), 0 if outer else -1))
    return {f"{prefix}auroc": next(iter(area.compute().values())), f"{prefix}fpr95": next(iter(rate.compute().values()))}


if __name__ == "__main__":
    main(sys.argv[1])
