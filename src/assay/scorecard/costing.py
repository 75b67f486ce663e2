"""What a model costs: parameters, multiply-accumulates, images a second here, memory."""

import time
from collections.abc import Iterator

import torch

from assay.scorecard.subject import Subject
from assay.scorecard.values import Value, fact

METRICS = {
    "parameters": "Parameters [count, lower is better]: trained numbers of the model",
    "macs": "Multiply-accumulates [count, lower is better]: of one image, by PyTorch's own counter",
    "images_per_second": "Images a second [per second, higher is better]: median of five batches without gradients, on this "
    "machine with the threads of a job",
    "activations": "Activations [bytes, lower is better]: what all layers give for one image, which a gradient needs kept",
    "weights": "Weights [bytes, lower is better]: parameters and buffers in memory",
}
TIMES = 5


def cost(subject: Subject) -> Iterator[Value]:
    """What was counted at the first look, and the speed of batches."""
    for name in ("parameters", "macs", "activations", "weights"):
        yield fact(name, subject.counted[name])
    images = subject.images[: subject.network.batch]
    seconds = []
    with torch.no_grad():
        subject.network(images)
        for _ in range(TIMES):
            begun = time.perf_counter()
            subject.network(images)
            seconds.append(time.perf_counter() - begun)
    yield fact("images_per_second", len(images) / sorted(seconds)[TIMES // 2])
