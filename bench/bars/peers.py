"""`assay measure` beside the libraries that people call one after another for the same numbers, on the same images and model.

usage: python bench/bars/peers.py [ROUNDS]

timm's loader and validation, torchmetrics, RobustBench's accuracy, foolbox's attacks and pytorch-ood's detectors, on bundled
photographs and EfficientNet-Lite0. They come from the package registry into a temporary folder and share torch, timm and foolbox
with this checkout. Both sides take turns in one process, one thread, processor time; the median of the rounds' ratios.

To the libraries' favour: corruptions and outside images are made by the same code on both sides, their models keep no gradients
of weights, and this project's side also computes intervals, noise against masked gradients and calibration beyond one error.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))
PEERS = ("torchmetrics==1.9.0", "lightning-utilities==0.15.3", "pytorch-ood==0.4.0", "robustbench==1.1.1")
GROUPS = ("accuracy", "calibration", "corruptions", "attacks", "ood")
IMAGES, BATCH = 12, 12
ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 3
LIMIT = 2.0


def install(folder: Path) -> None:
    """The libraries, without what they bring: torch and timm are this checkout's on both sides."""
    subprocess.run([sys.executable, "-m", "venv", folder / "env"], check=True, stdout=subprocess.DEVNULL)
    pip = [folder / "env/bin/python", "-m", "pip", "install", "-q", "--no-deps", "--target", folder / "peers"]
    subprocess.run([*pip, *PEERS], check=True, stdout=subprocess.DEVNULL)


def spent(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


class Behind(nn.Module):
    """A model behind its normalisation, as RobustBench and pytorch-ood want it."""

    def __init__(self, model: nn.Module, mean: tuple[float, ...], std: tuple[float, ...]):
        super().__init__()
        self.model = model
        self.register_buffer("mean", torch.tensor(mean).reshape(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std).reshape(1, -1, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        return self.model((images - self.mean) / self.std)


class Ours:
    """What the jobs of a request do, in one process."""

    def __init__(self, folder: Path, kept: Path):
        from photographs import LITE0

        from assay.scorecard.data import data_for
        from assay.scorecard.loading import load
        from assay.scorecard.probing import probe

        self.loaded, self.kept = load("tf_efficientnet_lite0", str(LITE0)), kept
        self.spec = data_for(str(folder), self.loaded)
        self.counted = probe(self.loaded, (3, 224, 224)).counted

    def __call__(self) -> None:
        from assay.scorecard.groups import chosen
        from assay.scorecard.images import draw, opened
        from assay.scorecard.measuring import measurable, measure_group, relabelled
        from assay.scorecard.subject import answers

        draw(self.spec, self.kept, False, lambda line: None)
        network = measurable(self.loaded, 1000, (), (3, 224, 224), BATCH)
        world, _ = relabelled(opened(self.kept, torch.device("cpu"))[0], network, self.loaded)
        own, seen = answers(network, world.test), answers(network, world.train)
        for group in chosen(list(GROUPS)):
            measure_group(group, network, world, own, seen, IMAGES, self.counted)


class Theirs:
    """One library after another, each with what its documentation shows."""

    def __init__(self, ours: Ours, folder: Path):
        self.ours, self.folder = ours, folder
        self.wants, self.model = ours.loaded.preparation, ours.loaded.model.eval().requires_grad_(False)
        self.network = Behind(self.model, self.wants.mean, self.wants.std)

    def loader(self, normalised: bool):
        """timm's: the photographs that both sides look at, prepared as the model wants them, with their numbers in ImageNet."""
        from timm.data import create_dataset, create_loader

        from assay.scorecard.names import imagenet_names, places

        data = create_dataset("", str(self.folder))
        number = places(data.reader.class_to_idx, imagenet_names(), 1000, "timm")[0]
        mean, std = (self.wants.mean, self.wants.std) if normalised else ((0.0,) * 3, (1.0,) * 3)
        way = {"crop_pct": self.wants.crop, "interpolation": self.wants.interpolation, "mean": mean, "std": std}
        made = create_loader(data, (3, 224, 224), BATCH, is_training=False, use_prefetcher=False, num_workers=0, **way)
        return [(images, torch.tensor([number[label] for label in labels])) for images, labels in made]

    def __call__(self) -> None:
        self.timm()
        self.torchmetrics()
        images, labels = (torch.cat(part)[:IMAGES] for part in zip(*self.loader(normalised=False), strict=True))
        self.robustbench(images, labels)
        self.foolbox(images, labels)
        self.pytorch_ood(images, labels)

    @torch.no_grad()
    def timm(self) -> None:
        from timm.utils import accuracy

        for images, labels in self.loader(normalised=True):
            accuracy(self.model(images), labels, topk=(1, 5))

    @torch.no_grad()
    def torchmetrics(self) -> None:
        from torchmetrics import MetricCollection
        from torchmetrics.classification import MulticlassAccuracy, MulticlassCalibrationError

        top1, top5 = MulticlassAccuracy(1000, average="micro"), MulticlassAccuracy(1000, average="micro", top_k=5)
        balanced, gap = MulticlassAccuracy(1000, average="macro"), MulticlassCalibrationError(1000)
        told = MetricCollection({"top1": top1, "top5": top5, "balanced": balanced, "ece": gap})
        for images, labels in self.loader(normalised=True):
            told.update(self.model(images), labels)
        told.compute()

    def robustbench(self, images: Tensor, labels: Tensor) -> None:
        from robustbench.utils import clean_accuracy

        from assay.corruptions._imagenet_c import IMAGENET_C
        from assay.scorecard.corrupting import SEVERITIES
        from assay.scorecard.subject import plug

        clean_accuracy(self.network, images, labels, batch_size=BATCH)
        for name in IMAGENET_C:
            for severity in SEVERITIES:
                changed = plug(f"corruptions/{name}")(images, severity, torch.Generator().manual_seed(severity))
                clean_accuracy(self.network, changed, labels, batch_size=BATCH)

    def foolbox(self, images: Tensor, labels: Tensor) -> None:
        """As many sizes of the one step as this project's search tries."""
        import foolbox

        from assay.scorecard.attacking import HALVINGS, LARGEST, RUNGS, STEPS, sizes

        way = {"mean": self.wants.mean, "std": self.wants.std, "axis": -3}
        model, (linf, l2) = foolbox.PyTorchModel(self.model, bounds=(0, 1), preprocessing=way, device="cpu"), sizes(224)
        step, searched = foolbox.attacks.LinfFastGradientAttack(), [LARGEST / 2**k for k in range(RUNGS + HALVINGS)]
        for attack, eps in (
            (step, linf),
            (foolbox.attacks.LinfPGD(steps=STEPS), linf),
            (foolbox.attacks.L2PGD(steps=STEPS), l2),
            (step, searched),
        ):
            attack(model, images, labels, epsilons=eps)

    def pytorch_ood(self, images: Tensor, labels: Tensor) -> None:
        from pytorch_ood.detector import ODIN, MaxSoftmax
        from pytorch_ood.metrics import AUROC, FPRAtTPR

        from assay.data.batch import TensorSplit, TensorWorld
        from assay.scorecard.foreign import _outside
        from assay.scorecard.subject import Answers, Subject

        names = tuple(self.ours.loaded.names)
        split = TensorSplit(images, labels, {})
        subject = Subject(self.bounded(), TensorWorld(split, split, names, {}), Answers(images, None), None, IMAGES)
        for _, outside in _outside(subject):
            if not isinstance(outside, Tensor):
                continue
            for detector in (MaxSoftmax(self.network), ODIN(self.network)):
                area, rate = AUROC(), FPRAtTPR()
                for shown, label in ((images, 0), (outside, -1)):
                    scores = detector.predict(shown)
                    for metric in (area, rate):
                        metric.update(scores, torch.full((len(scores),), label))
                area.compute(), rate.compute()

    def bounded(self) -> nn.Module:
        from assay.scorecard.subject import Bounded

        return Bounded(nn.Identity(), shape=(3, 224, 224), classes=self.ours.loaded.names)


def main() -> None:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        install(folder)
        import others

        others.reach(str(folder / "peers"))
        from photographs import written

        images = written(folder / "photographs")
        ours = Ours(images, folder / "kept")
        theirs = Theirs(ours, images)
        sides = {"one after another": theirs, "assay measure": ours}
        rounds = []
        for number in range(ROUNDS):
            order = sorted(sides, reverse=number % 2 == 0)
            rounds.append({side: spent(sides[side]) for side in order})
            print(rounds[-1], file=sys.stderr, flush=True)
    measured = {side: round(statistics.median(each[side] for each in rounds), 1) for side in sides}
    ratio = statistics.median(each["one after another"] / each["assay measure"] for each in rounds)
    print(json.dumps([{
        "name": "measured at once, times as fast as by timm, torchmetrics, RobustBench, foolbox and pytorch-ood in turn",
        "value": round(ratio, 2),
        "limit": LIMIT,
        "sense": "at least",
        "measured": measured,
        "unit": "core-s",
        "how": f"{', '.join(GROUPS)} of {IMAGES} photographs at 224 px, {BATCH} at once, one thread, {ROUNDS} rounds in turns in"
        " one process; corruptions and outside images made by the same code",
    }]))  # fmt: skip


if __name__ == "__main__":
    main()
