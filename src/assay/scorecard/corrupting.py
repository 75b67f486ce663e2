"""How a model holds up under the corruptions of ImageNet-C, and how often its answer flips in the films of ImageNet-P."""

from collections.abc import Callable, Iterator

import numpy as np
import torch

from assay.corruptions._imagenet_c import IMAGENET_C
from assay.corruptions._sequences import SEQUENCES, UNORDERED
from assay.scorecard.subject import Subject, plug
from assay.scorecard.values import Value, mean

METRICS = {
    "corrupted_error": "Corrupted error [0 to 1, lower is better]: error under 15 corruptions at 5 severities, their mean",
    "severity_error": "Error by severity [0 to 1, lower is better]: the same at one severity (x), mean over corruptions",
    "corruption_error": "Error by corruption [0 to 1, lower is better]: the same under one corruption (x), mean over severities",
    "lost": "Accuracy lost to corruption [-1 to 1, lower is better]: corrupted error less the error on the same clean images",
    "flips": "Flip probability [0 to 1, lower is better]: chance that the answer changes from frame to frame of a film, mean "
    "over 10 perturbations",
    "perturbation_flips": "Flips by perturbation [0 to 1, lower is better]: the same in films of one perturbation (x)",
}
SEVERITIES = (1, 2, 3, 4, 5)
FRAMES = 8
PART = 64  # images corrupted at once


def corruptions(subject: Subject) -> Iterator[Value]:
    """Errors on the same images under every corruption and severity. Keeps each image's errors, (N, 15), for comparisons."""
    wrong = np.stack([_wrong(subject, name) for name in IMAGENET_C], 1)  # (N, corruptions, severities)
    yield mean("corrupted_error", wrong.mean((1, 2)))
    for place, severity in enumerate(SEVERITIES):
        yield mean("severity_error", wrong[:, :, place].mean(1), severity)
    for place, name in enumerate(IMAGENET_C):
        yield mean("corruption_error", wrong[:, place].mean(1), name)
    clean = (subject.logits.argmax(1) != subject.labels).double().numpy(force=True)
    yield mean("lost", wrong.mean((1, 2)) - clean)
    subject.pictures["corruption_errors"] = wrong.mean(2)


def _wrong(subject: Subject, name: str) -> np.ndarray:
    """(N, severities) 1 where an image is answered wrongly under a corruption."""
    corruption = plug(f"corruptions/{name}")
    columns = []
    for severity in SEVERITIES:
        generator = subject.generator(name, severity)
        parts = [subject.answer(corruption(images, severity, generator)) for images in subject.parts(PART)]
        columns.append(torch.cat(parts) != subject.labels)
    return torch.stack(columns, 1).double().numpy(force=True)


def flips(subject: Subject) -> Iterator[Value]:
    """Flip probabilities, film by film."""
    rows = []
    for name, film in SEQUENCES.items():
        rows.append(_flipped(subject, film, subject.generator("film", name), "first" if name in UNORDERED else "previous"))
        yield mean("perturbation_flips", rows[-1], name)
    yield mean("flips", np.mean(rows, axis=0))


def _flipped(subject: Subject, film: Callable, generator: torch.Generator, against: str) -> np.ndarray:
    """(N,) flip probability of each image's film."""
    chance, found = plug("metrics/flip_probability"), []
    for images in subject.parts(PART // FRAMES):
        answers = subject.answer(film(images, FRAMES, generator).flatten(0, 1)).unflatten(0, (FRAMES, -1))
        found += [chance(column[:, None], against=against) for column in answers.unbind(1)]
    return np.array(found)
