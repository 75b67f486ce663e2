"""Training a perceptron on digits as a person would write it: the steps, sizes and measures of the study digits_mixup.

Used by the peers of bench/bars/one_job.py. Data, network, batches, schedule, optimizer and measures are those of the study; how
random numbers are drawn is not, so results agree as those of other seeds do.
"""

import csv
import math
import os
import sys
from itertools import product
from pathlib import Path

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

METHODS = ("erm", "mixup")
RATES = (0.02, 0.05, 0.1, 0.2)
SEEDS = range(5)
EPOCHS = int(os.environ.get("EPOCHS", "80"))
BATCH, WIDTH, TRAIN, TEST = 64, 128, 1200, 597
COLUMNS = ("method", "lr", "seed", "top1", "loss", "train_top1")

torch.set_num_threads(1)


def data(seed: int) -> tuple[torch.Tensor, ...]:
    """Images (N, 1, 8, 8) and labels: those of training, those of the test."""
    stored = np.load(os.environ["DIGITS"])
    images = torch.from_numpy((stored["images"] / 16).astype(np.float32))[:, None]
    labels = torch.from_numpy(stored["labels"].astype(np.int64))
    order = np.random.default_rng(seed).permutation(len(labels))
    train, test = order[len(order) - TRAIN :], order[:TEST]
    return images[train], labels[train], images[test], labels[test]


def mixed(images: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Convex combinations of pairs, one weight a batch from Beta(1, 1)."""
    weight, partner = torch.rand(()), torch.randperm(len(images))
    return images * weight + images[partner] * (1 - weight), targets * weight + targets[partner] * (1 - weight)


def factor(progress: float, warmup: float = 0.1) -> float:
    """Of the learning rate: a linear rise, then half a cosine."""
    return progress / warmup if progress < warmup else 0.5 * (1 + math.cos(math.pi * (progress - warmup) / (1 - warmup)))


def train(method: str, lr: float, seed: int) -> dict:
    """Train one network and measure it."""
    torch.manual_seed(seed)
    images, labels, test_images, test_labels = data(seed)
    mean, std = images.mean(), images.std()
    network = nn.Sequential(
        nn.Flatten(), nn.Linear(64, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, 10)
    )
    optimizer = torch.optim.SGD(network.parameters(), lr=lr, momentum=0.9, weight_decay=5e-4, nesterov=True, foreach=True)
    batches = len(images) // BATCH
    for epoch in range(EPOCHS):
        for step, rows in enumerate(torch.tensor_split(torch.randperm(len(images)), batches)):
            part, targets = images[rows], F.one_hot(labels[rows], 10).float()
            if method == "mixup":
                part, targets = mixed(part, targets)
            for group in optimizer.param_groups:
                group["lr"] = lr * factor((epoch * batches + step) / (EPOCHS * batches))
            optimizer.zero_grad(set_to_none=True)
            loss = F.cross_entropy(network((part - mean) / std), targets)
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        logits, seen = network((test_images - mean) / std), network((images - mean) / std)
    found = {
        "top1": (logits.argmax(1) == test_labels).float().mean().item(),
        "loss": F.cross_entropy(logits, test_labels).item(),
        "train_top1": (seen.argmax(1) == labels).float().mean().item(),
    }
    return {"method": method, "lr": lr, "seed": seed, **found}


def write(rows: list[dict], path: str) -> None:
    """Rows as a table."""
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


def summarise(paths: list[str], table: str, figure: str) -> None:
    """One table of means and spreads, and one figure."""
    from matplotlib.figure import Figure

    found: dict[tuple[str, float], list[float]] = {}
    for path in paths:
        for row in csv.DictReader(Path(path).read_text().splitlines()):
            found.setdefault((row["method"], float(row["lr"])), []).append(float(row["top1"]))
    cells = {key: found[key] for key in product(METHODS, RATES)}
    with open(table, "w") as file:
        file.write("method,lr,top1,std\n")
        file.writelines(f"{m},{r},{np.mean(v):.4f},{np.std(v, ddof=1):.4f}\n" for (m, r), v in cells.items())
    drawn = Figure(figsize=(4, 3))
    axes = drawn.subplots()
    for method in METHODS:
        axes.errorbar(RATES, [np.mean(cells[method, r]) for r in RATES], [np.std(cells[method, r]) for r in RATES], label=method)
    axes.set(xscale="log", xlabel="lr", ylabel="top1")
    axes.legend()
    drawn.savefig(figure)


def loop() -> None:
    """All of it with joblib, two processes."""
    from joblib import Parallel, delayed

    jobs = list(product(METHODS, RATES, SEEDS))
    write(Parallel(n_jobs=2)(delayed(train)(*job) for job in jobs), "rows.csv")
    summarise(["rows.csv"], "table.csv", "figure.svg")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["loop"]:
            sys.path.insert(0, str(Path(__file__).parent))
            from digits_job import loop as importable_loop  # the processes of joblib import what they are sent

            importable_loop()
        case ["batch", method, rates, path]:
            write([train(method, float(lr), seed) for lr in rates.split(",") for seed in SEEDS], path)
        case ["summarise", table, figure, *paths]:
            summarise(paths, table, figure)
