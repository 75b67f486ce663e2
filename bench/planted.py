"""Plant changes in the core of a copy of this project, one at a time, and see whether `assay prove` sees them.

    python bench/planted.py              all of them
    python bench/planted.py order arm    those of these names
    python bench/planted.py plugs        ten in protocols, objectives and models, all at once

Wrong ones change a number that some test watches: canaries must come out otherwise, or none come by. Harmless ones must be
proven, or need no proof. Those in plugs are planted together, as each is met by another study, which must blame it.
"""

import os
import resource
import shutil
import sys
import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from assay.errors import EvidenceError
from assay.language.recipes import canonical
from assay.pipeline.comparing import Comparison
from assay.pipeline.sides import Answer, Runner, Side, Task

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("src", "config", "data", "data.sha256")
# Small, and together through most of the core: parents, records, surgery, augmentation, seeds that move one axis. The trainer's
# hooks are gone through by the canary in config/canaries, which comes with them.
STUDIES = ("aum", "cnn_svm", "mixup", "soups")
SEEN, PROVEN = "seen", "proven"


@dataclass(frozen=True)
class Plant:
    """A change of one file: what is replaced by what, in turns."""

    name: str
    file: str
    edits: tuple[tuple[str, str], ...]


def _plant(name: str, file: str, *texts: str) -> Plant:
    return Plant(name, file, tuple(zip(texts[::2], texts[1::2], strict=True)))


WRONG = (
    _plant("seeds", "data/seeds.py", 'digest[:8], "big"', 'digest[:8], "little"'),
    _plant("spread", "data/batch.py", "self.images.std((0, 2, 3))", "self.images.std((0, 2, 3), correction=0)"),
    _plant("streamed", "data/batch.py", "torch.full((), 255.0", "torch.full((), 256.0"),
    _plant("taken", "data/world.py", "self.labels[rows], {", "self.labels[: len(rows)], {"),
    _plant("order", "training/run.py", 'seed_of("order", self.recipe.data["draws"]["order"]', 'seed_of("order", 0'),
    _plant(
        "batches",
        "training/run.py",
        "max(1, len(world.train) // self.batch_size)",
        "max(1, len(world.train) // self.batch_size - 1)",
    ),
    _plant("schedule", "training/run.py", 'group["initial_lr"] * factor', 'group["lr"] * factor'),
    _plant("margins", "training/run.py", "others.max(1).values", "others.min(1).values"),
    _plant("resumed", "training/run.py", "            optimizer.load_state_dict(saved)\n", "            pass\n"),
    _plant("shared", "training/run.py", "len(part) * self.group.size / len(batch)", "len(part) * 1 / len(batch)"),
    _plant("gathered", "training/distributed.py", "whole[rows] = share\n", "whole[rows] = share.flip(0)\n"),
    _plant("started", "training/beginnings.py", "own[name].copy_(value)", "own[name].copy_(value * 0.5)"),
    _plant("bound", "training/binding.py", "**parameters)", '**{k: v for k, v in parameters.items() if k != "lr"})'),
    _plant("surgery", "training/trainer.py", 'enumerate(recipe.data["surgery"])', 'enumerate(recipe.data["surgery"][1:])'),
    _plant(
        "objective", "training/objective.py", "return self.function(network, batch)", "return 2 * self.function(network, batch)"
    ),
    _plant("normalised", "training/network.py", "(images - self.mean) / self.std", "images - self.mean"),
    _plant("arm", "measuring/arm.py", 'seed_of("measure", self._root,', 'seed_of("measure", self.name,'),
    _plant("forgetting", "training/run.py", "optimizer.state.clear()", "optimizer.state.popitem()"),
    _plant("sampled", "training/run.py", "self._sampled(tuple(map(len, parts)))", "self._sampled(tuple(map(len, parts)))[::-1]"),
    _plant("kept", "training/run.py", "self.done == round(share * self.steps)", "self.done == int(share * self.steps)"),
    _plant("apart", "data/batch.py", "own=values == value: tensor[own]", "own=values >= value: tensor[own]"),
    _plant("observed", "measuring/observing.py", "for key in sorted(rows) for row", "for key in sorted(rows)[::-1] for row"),
    _plant("evaluated", "measuring/evaluate.py", "return batched(network, images,", "return batched(network, images * 0.99,"),
)
HARMLESS = (
    _plant(
        "renamed",
        "training/run.py",
        "factor = self.schedule(batch.progress)",
        "share = self.schedule(batch.progress)",
        '["initial_lr"] * factor',
        '["initial_lr"] * share',
    ),
    _plant(
        "optional",
        "measuring/evaluate.py",
        'size: int = 512) -> Tensor:\n    """Logits',
        'size: int = 512, *, verbose: bool = False) -> Tensor:\n    """Logits',
    ),
    _plant("forgotten", "training/run.py", "if forgets:", "if bool(forgets):"),
    _plant("environments", "data/batch.py", "own=values == value: tensor[own]", "own=value == values: tensor[own]"),
    _plant("reworded", "training/run.py", "lower the optimizer's lr", "try a lower lr"),
    _plant(
        "rewritten",
        "data/batch.py",
        "return len(self.labels)\n\n    def each(",
        "return self.labels.shape[0]\n\n    def each(",
    ),
)


# In protocols, objectives and models: each with a study that meets no other of them.
PLUGS = {
    "blurpool": _plant("shifts", "protocols/shift_consistency.py", "images.roll((down, right)", "images.roll((down, down)"),
    "lance": _plant("deviation", "protocols/counterfactuals.py", "values.std(correction=0)", "values.std()"),
    "odin": _plant("turned", "protocols/ood.py", "rates.append(fpr95(inside, other))", "rates.append(fpr95(other, inside))"),
    "zoom": _plant("crops", "protocols/zoom.py", "FIVE_CROP_ZOOM = 1.25", "FIVE_CROP_ZOOM = 1.5"),
    "patient_teacher": _plant("mean", "objectives/distill.py", 'reduction="batchmean"', 'reduction="mean"'),
    "whac-a-mole": _plant("harder", "objectives/lff.py", "return biased / (biased + target", "return target / (biased + target"),
    "simsiam": _plant(
        "held", "objectives/simsiam.py", "held = target.detach() if self.stop_gradient else target", "held = target"
    ),
    "sample_complexity": _plant("drawn", "models/lcn.py", "fan_in=self.patch_values", "fan_in=1"),
    "integrated_gradients": _plant("strides", "models/allconv.py", "STRIDES = (1, 2, 1, 1)", "STRIDES = (1, 2, 2, 1)"),
    "control_shift": _plant("depth", "models/vit.py", "depth=depth, num_heads", "depth=max(1, depth - 1), num_heads"),
}

CORE = sorted({f"assay.{plant.file.removesuffix('.py').replace('/', '.')}" for plant in (*WRONG, *HARMLESS)})


class Remembering(Runner):
    """Asks the code without changes once."""

    def __init__(self, jobs: int):
        super().__init__(jobs, say=lambda line: None)
        self.known: dict[str, Answer] = {}

    def do(self, tasks: list[Task]) -> list[Answer]:
        for task in tasks:
            task.what.update({"watch": CORE} if "watch" in task.what else {})
        new = [task for task in tasks if _key(task) not in self.known]
        answers = dict(zip(map(_key, new), super().do(new), strict=True))
        self.known |= {key: answer for key, answer in answers.items() if key.startswith("before")}
        return [(self.known | answers)[_key(task)] for task in tasks]


def _key(task: Task) -> str:
    return f"{task.side.name} {canonical(task.what)}"


def copy(folder: Path, studies: Collection[str] = STUDIES) -> Path:
    """A copy of the project with few studies; its source."""
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / part)
    for path in (folder / "config" / "studies").glob("*/*.yaml"):
        if path.stem not in studies:
            path.unlink()
    return folder / "src"


def planted(plant: Plant, source: Path) -> dict[Path, str]:
    """Make the change in a copy; what to write to undo it. ValueError where the code no longer reads so."""
    path = source / "assay" / plant.file
    text = before = path.read_text(encoding="utf-8")
    for old, new in plant.edits:
        if text.count(old) != 1:
            raise ValueError(f"{plant.name}: {plant.file} holds {old!r} {text.count(old)} times; mend bench/planted.py")
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")
    return {path: before}


def verdict(before: Side, after: Side, runner: Runner) -> tuple[str, str]:
    """Whether a change is proven, and why or why not."""
    comparison = Comparison(before, after, runner)
    if not comparison.canaries:
        return PROVEN, "nothing that computes changed"
    try:
        if comparison.differing:
            return SEEN, f"other numbers: {', '.join(comparison.differing)}"
    except EvidenceError as error:
        return SEEN, str(error)
    places = [place for found in comparison.untried.values() for place in found]
    return (SEEN, f"no canary came by: {', '.join(places)}") if places else (PROVEN, f"{len(comparison.compared)} canaries equal")


def plugs() -> int:
    """Plant all changes of plugs at once; how many are not found, each by the study that meets it."""
    with tempfile.TemporaryDirectory() as temporary, Runner(os.cpu_count() or 1, say=lambda line: None) as runner:
        sides = [Side(name, copy(Path(temporary, name), PLUGS), Path(temporary, f"{name}-tasks")) for name in ("before", "after")]
        for plant in PLUGS.values():
            planted(plant, sides[1].source)
        comparison = Comparison(*sides, runner)
        blamed = {name: plant.file.removesuffix(".py") in comparison.differing.get(name, ()) for name, plant in PLUGS.items()}
    for name, plant in PLUGS.items():
        print(f"{plant.name} ({plant.file}): {f'seen by {name}' if blamed[name] else 'MISTAKE'}")
    return list(blamed.values()).count(False)


def main(names: list[str]) -> int:
    mistakes = plugs() if names in ([], ["plugs"]) else 0
    with tempfile.TemporaryDirectory() as temporary, Remembering(os.cpu_count() or 1) as runner:
        sides = [Side(name, copy(Path(temporary, name)), Path(temporary, f"tasks-{name}")) for name in ("before", "after")]
        for wanted, plants in ((SEEN, WRONG), (PROVEN, HARMLESS)):
            for plant in plants:
                if names and plant.name not in names:
                    continue
                undo = planted(plant, sides[1].source)
                word, why = verdict(*sides, runner)
                for path, text in undo.items():
                    path.write_text(text, encoding="utf-8")
                mistakes += word != wanted
                print(f"{plant.name} ({plant.file}): {word}, {why}{'' if word == wanted else '   MISTAKE'}", flush=True)
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"mistakes: {mistakes}; core seconds: {spent.ru_utime + spent.ru_stime:.0f}")
    return min(mistakes, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
