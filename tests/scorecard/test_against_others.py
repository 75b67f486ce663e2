"""The same numbers as torchmetrics, pytorch-ood, RobustBench, timm's validation and foolbox, on the same model and images.

What the first three say is kept in others.json, which bench/others.py writes; timm and foolbox are asked here.
"""

import json
from pathlib import Path

import foolbox
import numpy as np
import pytest
import torch
from photographs import written
from small_models import (
    CLASSES,
    SEVERITY,
    SHOWN,
    corrupted_photographs,
    features,
    labels,
    lite0,
    loaded,
    logits,
    negatives,
    photographs,
)

from assay.data.batch import TensorSplit, TensorWorld
from assay.measuring.evaluate import predict
from assay.metrics.top1 import top1
from assay.scorecard import attacking, corrupting
from assay.scorecard.classifying import accuracy, calibration
from assay.scorecard.foreign import _scores
from assay.scorecard.names import imagenet_names, places
from assay.scorecard.subject import Answers, Looked, Subject, answers, plug
from assay.scorecard.values import of_sets
from assay.training.network import Samples

from timm.data import create_dataset, create_loader  # isort: skip
from timm.utils import accuracy as timm_accuracy  # isort: skip

OTHERS = json.loads(Path(__file__).with_name("others.json").read_text())["values"]


class Told(Subject):
    """A subject of which the answers are given, whatever its images."""

    def __init__(self, answered: torch.Tensor, truth: torch.Tensor, names: tuple[str, ...]):
        self.test, self.count, self.pictures = Answers(answered, None), len(truth), {}
        empty = TensorSplit(torch.zeros(len(truth), 1, 1, 1), truth, {})
        self.world = TensorWorld(empty, empty, names, {})


@pytest.fixture(scope="module")
def told():
    subject = Told(logits(), labels(), tuple(map(str, range(CLASSES))))
    return {value.key: value.value for group in (accuracy, calibration) for value in group(subject)}


@pytest.mark.parametrize("metric", ["top1", "top5", "balanced_top1", "ece"])
def test_accuracy_and_calibration_are_torchmetrics(told, metric):
    assert told[metric] == pytest.approx(OTHERS[metric], abs=1e-6)


@pytest.mark.parametrize("metric", ["auroc", "fpr95"])
def test_detection_of_outside_images_is_pytorch_oods(metric):
    own, outside = (
        plug("scores/msp")(Samples(Looked(rows.double()), torch.arange(len(rows)), rows.argmax(1))).numpy() for rows in features()
    )
    value = of_sets(metric, plug(f"metrics/{metric}"), [(own, outside)])
    assert value.value == pytest.approx(OTHERS[metric], abs=1 / len(own))  # theirs interpolates between thresholds


@pytest.fixture(scope="module")
def subject():
    _, _, world = photographs()
    return Subject(lite0(), world, answers(lite0(), world.test), Answers(torch.zeros(0, 0), None), len(world.test))


def test_accuracy_on_photographs_is_that_of_timms_validation(subject, tmp_path):
    data = create_dataset("", str(written(tmp_path)))
    wants = {"crop_pct": 0.875, "interpolation": "bicubic", "mean": (0.5,) * 3, "std": (0.5,) * 3}
    loader = create_loader(data, (3, 224, 224), 4, is_training=False, use_prefetcher=False, num_workers=0, **wants)
    number = torch.tensor(places(data.reader.class_to_idx, imagenet_names(), 1000, "timm")[0])
    with torch.no_grad():
        theirs, truth = (torch.cat(part) for part in zip(*((loaded().model(x), number[y]) for x, y in loader), strict=True))
    expected = [float(share) / 100 for share in timm_accuracy(theirs, truth, topk=(1, 5))]
    found = {value.key: value.value for value in accuracy(subject)}
    assert [found["top1"], found["top5"]] == pytest.approx(expected)
    assert 0.5 < found["top1"] < 1
    order, other = (np.lexsort(rows.numpy().T[:3]) for rows in (subject.logits, theirs))
    assert torch.allclose(subject.logits[order], theirs[other], atol=1e-3)


@pytest.mark.parametrize("score", ["msp", "odin"])
def test_scores_of_photographs_and_their_detection_are_pytorch_oods(subject, score):
    """Scores at ODIN's temperature differ from 1/1000 in the sixth digit, where theirs are rounded to single precision."""
    subject.counted["differentiable"] = True
    shown = subject.images, negatives()
    own, outside = (_scores(subject, images, predict(subject.network, images))[score] for images in shown)
    for rows, name in ((own, "own"), (outside, "outside")):
        assert float(rows.mean()) == pytest.approx(OTHERS[f"{score} mean {name}"], rel=1e-5)
    for metric, close in (("auroc", 1 / len(own) ** 2), ("fpr95", 1 / len(own))):
        value = of_sets(metric, plug(f"metrics/{metric}"), [(own.numpy(), outside.numpy())])
        assert value.value == pytest.approx(OTHERS[f"{score} {metric}"], abs=close)


def test_accuracy_clean_and_corrupted_is_robustbenchs(subject, monkeypatch):
    images, truth = corrupted_photographs()["clean"]
    assert top1(predict(lite0(), images), truth) == pytest.approx(OTHERS["robustbench clean"])
    monkeypatch.setattr(corrupting, "IMAGENET_C", SHOWN)
    monkeypatch.setattr(corrupting, "SEVERITIES", (SEVERITY,))
    monkeypatch.setattr(Subject, "generator", lambda self, name, severity: torch.Generator().manual_seed(severity))
    found = {value.key: value.value for value in corrupting.corruptions(subject)}
    theirs = {name: 1 - OTHERS[f"robustbench {name}"] for name in SHOWN}
    # The noisy image nearest to the boundary falls to either side by the processor that recorded.
    one = 1.01 / len(truth)
    assert {name: found[f"corruption_error {name}"] for name in SHOWN} == pytest.approx(theirs, abs=one)
    assert found["corrupted_error"] == pytest.approx(np.mean([found[f"corruption_error {name}"] for name in SHOWN]))


def test_accuracy_under_attack_is_foolboxs(subject, monkeypatch):
    """The same step of the gradient's sign; PGD starts at random here and at the image there, and fools as many."""
    few = Subject(lite0(), subject.world, subject.test, subject.train, 4)
    theirs = foolbox.PyTorchModel(lite0(), bounds=(0, 1), preprocessing=None, device="cpu")
    eps, _ = attacking.sizes(224)
    monkeypatch.setattr(attacking, "STEPS", 2)
    monkeypatch.setattr(attacking, "RUNGS", 1)
    monkeypatch.setattr(attacking, "HALVINGS", 0)
    monkeypatch.setattr(attacking, "masking", lambda *given: 0.0)
    found = {value.key: value.value for value in attacking.attacks(few)}
    for name, attack in (
        ("FGSM", foolbox.attacks.LinfFastGradientAttack()),
        ("PGD", foolbox.attacks.LinfPGD(steps=2, rel_stepsize=1.25, random_start=False)),
    ):
        fooled = attack(theirs, few.images.contiguous(), few.labels, epsilons=eps)[2]
        assert found[f"attacked_top1 {name}, max norm 4/255"] == pytest.approx(1 - fooled.double().mean().item())
    assert found["unattacked_top1"] > found["attacked_top1 FGSM, max norm 4/255"]
