"""How a model fares under attack: one step, many steps in two norms, the smallest that fools; whether gradients are masked."""

from collections.abc import Callable, Iterator
from functools import partial

from torch import Generator, Tensor, cat

from assay.attacks._search import smallest
from assay.protocols._masking import masking
from assay.scorecard.subject import Subject, plug
from assay.scorecard.values import Skipped, Value, mean, statistic

METRICS = {
    "attacked_top1": "Accuracy under attack [0 to 1, higher is better]: share of attacked images answered as labelled, by attack "
    "and size (x)",
    "unattacked_top1": "Accuracy before attack [0 to 1, higher is better]: the share of the same images without an attack",
    "minimal_size": "Smallest size that fools [pixel range 0 to 1, higher is better]: median over images answered rightly of the "
    "smallest max-norm step of the gradient's sign that changes the answer",
    "masking": "Sign of masked gradients [0 to 1, lower is better]: error under the best of ten noises above PGD's, or 0",
}
SMALL_IMAGE = 64  # pixels, up to which 8/255 is the usual size; 4/255 beyond
EUCLIDEAN = 0.5  # the usual size at 32 pixels, where images have as much norm a pixel
STEPS = 10
LARGEST = 0.25  # of the search for the smallest size
RUNGS, HALVINGS = 10, 3  # down to 1/2048, to an eighth


def sizes(side: int) -> tuple[float, float]:
    """The usual sizes for images of `side` pixels: in the max norm, and in the Euclidean one in proportion to the side."""
    return (8 if side <= SMALL_IMAGE else 4) / 255, EUCLIDEAN * side / 32


def attacks(subject: Subject) -> Iterator[Value | Skipped]:
    """Attacks on the labels, made on the model itself; noise of the same size tells masked gradients."""
    images, labels = subject.images, subject.labels
    yield mean("unattacked_top1", subject.logits.argmax(1) == labels)
    linf, l2 = sizes(images.shape[-1])
    shown = f"{round(linf * 255)}/255"
    step = _attacked(subject, plug("attacks/fgsm", eps=linf, clip=False), images, labels, "FGSM")
    yield mean("attacked_top1", subject.right(step.clamp(0, 1)), f"FGSM, max norm {shown}")
    directions = (step - images).sign()
    made = {
        f"PGD, max norm {shown}": plug("attacks/pgd", eps=linf, steps=STEPS),
        f"PGD, L2 {l2:g}": plug("attacks/pgd", norm="l2", eps=l2, steps=STEPS),
    }
    right = {name: subject.right(_attacked(subject, attack, images, labels, name)) for name, attack in made.items()}
    for name, rows in right.items():
        yield mean("attacked_top1", rows, name)
    pgd = f"PGD, max norm {shown}"
    yield Value(
        "masking", None, masking(subject, made[pgd], images, labels, 1 - right[pgd].double().mean().item()), images=len(images)
    )
    known = subject.logits.argmax(1) == labels
    if not known.any():
        yield Skipped("minimal_size", "no image is answered rightly, so none can be fooled")
        return
    found = subject.each(partial(_smallest, subject), images[known], directions[known], labels[known])
    yield statistic("minimal_size", lambda rows: float(rows.median()), found)


def _attacked(subject: Subject, attack: Callable, images: Tensor, labels: Tensor, name: str) -> Tensor:
    generator = subject.generator("attack", name)
    return subject.each(lambda *part: attack(subject.network, *part, generator), images, labels)


def _smallest(subject: Subject, images: Tensor, directions: Tensor, labels: Tensor) -> Tensor:
    """(B,) sizes of a step in these directions; where none fools, the largest tried.

    The search picks rows, so images carry their directions with them, as further channels.
    """

    def split(both: Tensor) -> tuple[Tensor, Tensor]:
        return both[:, : images.shape[1]], both[:, images.shape[1] :]

    def moved(network: Callable, both: Tensor, labels: Tensor, generator: Generator, *, eps: Tensor) -> Tensor:
        shown, along = split(both)
        return cat([(shown + eps * along).clamp(0, 1), along], 1)

    search = partial(smallest, largest=LARGEST, rungs=RUNGS, halvings=HALVINGS)
    answer, both = lambda both: subject.network(split(both)[0]), cat([images, directions], 1)
    return search(moved, answer, both, labels, subject.generator("smallest"))[1].clamp(max=LARGEST)
