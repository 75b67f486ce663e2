"""What `assay measure` costs beyond the passes it needs: groups of metrics on EfficientNet-Lite0, beside those passes alone.

usage: python bench/bars/measure.py

The groups run on bundled photographs, and every pass of the model is counted by its number of images and whether gradients are
taken. Then as many passes are made and nothing else, the images are decoded once, and the corruptions are applied alone: what the
metrics cannot do without. Both in processor time, one thread, in turns.
"""

import json
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import torch

from assay.data.batch import whole
from assay.scorecard import corrupting
from assay.scorecard.data import data_for
from assay.scorecard.groups import chosen
from assay.scorecard.images import draw, opened
from assay.scorecard.loading import load
from assay.scorecard.measuring import measurable, measure_group, relabelled
from assay.scorecard.probing import probe
from assay.scorecard.subject import Bounded, answers, plug

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "scorecard"))
from photographs import LITE0, written  # noqa: E402

GROUPS = ("accuracy", "calibration", "corruptions", "attacks", "shifts")
IMAGES, BATCH = 4, 4
SEVERITIES = (3,)  # of the corruptions
LIMIT = 1.15


class Counted(Bounded):
    """A classifier that counts its passes by whether gradients are taken, and how many images they see."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if torch.is_grad_enabled() or len(images) <= self.batch:
            self.passes[torch.is_grad_enabled(), len(images)] += 1
        return super().forward(images)


def spent(work) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


def main() -> None:
    torch.set_num_threads(1)
    corrupting.SEVERITIES = SEVERITIES
    loaded = load("tf_efficientnet_lite0", str(LITE0))
    with tempfile.TemporaryDirectory() as folder:
        spec = data_for(str(written(Path(folder, "photographs"))), loaded)
        shown = Path(folder, "kept")
        counted = probe(loaded, (3, 224, 224)).counted
        network = measurable(loaded, 1000, (), (3, 224, 224), BATCH)
        network.__class__, network.passes = Counted, Counter()

        def decode() -> None:
            draw(spec, shown, False, lambda line: None)

        def groups() -> None:
            world, _ = relabelled(opened(shown, torch.device("cpu"))[0], network, loaded)
            own, seen = answers(network, world.test), answers(network, world.train)
            for group in chosen(list(GROUPS)):
                measure_group(group, network, world, own, seen, IMAGES, counted)

        decode()
        with torch.no_grad():
            network(torch.rand(BATCH, 3, 224, 224))  # what the first pass prepares
        network.passes.clear()
        measured = spent(lambda: (decode(), groups()))
        passes = dict(network.passes)
        images = whole(opened(shown, torch.device("cpu"))[0].test.images)
        alone = spent(lambda: (decode(), answer(network, images), replay(network, images, passes)))
        changing = spent(lambda: corrupt(images[:IMAGES]))
    needed = alone + changing
    print(json.dumps([{
        "name": "metrics beside the passes they need",
        "value": round(measured / needed, 2),
        "limit": LIMIT,
        "sense": "at most",
        "measured": {"measured": round(measured, 1), "passes": round(alone, 1), "corruptions": round(changing, 1)},
        "unit": "core-s",
        "how": f"{', '.join(GROUPS)} on {IMAGES} images at 224 px, one thread; {sum(passes.values())} passes",
    }]))  # fmt: skip


def answer(network: Counted, images: torch.Tensor) -> None:
    """The pass that all groups share."""
    for part in images.split(BATCH):
        network.answer(part)


def replay(network: Counted, images: torch.Tensor, passes: dict[tuple[bool, int], int]) -> None:
    """As many passes as were counted, and nothing else."""
    for (gradients, count), times in passes.items():
        part = images.repeat(-(-count // len(images)), 1, 1, 1)[:count]
        for _ in range(times):
            if gradients:
                given = part.clone().requires_grad_(True)
                torch.autograd.grad(network(given).sum(), given)
            else:
                with torch.no_grad():
                    network(part)


def corrupt(images: torch.Tensor) -> None:
    """Every corruption at every severity, of the same images."""
    for name in corrupting.IMAGENET_C:
        for severity in corrupting.SEVERITIES:
            plug(f"corruptions/{name}")(images, severity, torch.Generator().manual_seed(0))


if __name__ == "__main__":
    main()
