"""What the jobs of a request (rules/scorecard.smk) do: draw images, let a model answer them, measure a group."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from assay.networks.jobs import set_up
from assay.scorecard import images
from assay.scorecard.groups import BY_NAME
from assay.scorecard.measuring import measurable, measure_group, read_answers, relabelled, save_answers
from assay.scorecard.probing import Probe
from assay.scorecard.request import Model, Request
from assay.scorecard.subject import Answers, Bounded, answers
from assay.storage.files import read_json, write_atomic
from assay.training.precision import FLOAT32

FILES = ("test.npy", "train.npy", "arrays.npz", "about.json")  # of images; further splits have their own beside
ANSWERS = ("test_logits.npy", "test_features.npy", "train_features.npy", "about.json")
MEASURED = ("values.json", "arrays.npz")


def draw_images(request: Request, key: str, folder: Path, say: Callable[[str], None]) -> None:
    """Draw and decode the data that models are shown."""
    images.draw(request.images[key], folder, request.skip_unreadable, say)


def answer(request: Request, key: str, shown: Path, folder: Path, say: Callable[[str], None]) -> None:
    """Let a model answer all test images, and the training images that are looked at."""
    network, world, said = _made(request, request.model(key), shown)
    say(said)
    test, train = answers(network, world.test), answers(network, world.train)
    save_answers(folder, test, train)
    write_atomic(folder / "about.json", json.dumps({"model": key, "matched": said, "images": len(world.test)}, indent=1))


def measure(
    request: Request, key: str, group: str, shown: Path, answered: Path, folder: Path, say: Callable[[str], None]
) -> None:
    """Measure a group on a model."""
    model = request.model(key)
    network, world, _ = _made(request, model, shown)
    test, train = (_on(network, each) for each in read_answers(answered))
    counted = Probe(**model.probe).counted
    found = measure_group(BY_NAME[group], network, world, test, train, request.counts[group], counted)
    found.save(folder, about(request, model, group, shown))
    say(f"{len(found.values)} numbers; does not apply: {len(found.skipped)}")


def about(request: Request, model: Model, group: str, shown: Path) -> dict[str, Any]:
    """What a group's numbers rest on: model, data, code, machine."""
    data = read_json(shown / "about.json")
    return {
        "model": model.about | {"name": model.name, "state": model.state},
        "data": {"name": request.data, "digests": data["digests"], "images": data["images"]},
        "code": BY_NAME[group].code,
        "batch": model.batch,
        "torch": torch.__version__,
    }


def _made(request: Request, model: Model, shown: Path) -> tuple[Bounded, Any, str]:
    """The model behind its normalisation, and the images with its numbers of their classes."""
    device = set_up(request.device, request.threads, FLOAT32)
    loaded = model.load()
    world, _ = images.opened(shown, device)
    shape = tuple(world.test.images.shape[1:])
    network = measurable(loaded, model.probe["outputs"], world.classes, shape, model.batch).to(device)
    return network, *relabelled(world, network, loaded)


def _on(network: Bounded, given: Answers) -> Answers:
    def moved(tensor: Tensor | None) -> Tensor | None:
        return None if tensor is None else tensor.to(network.mean.device)

    return Answers(moved(given.logits), moved(given.features))
