"""What is asked of one version of the code when two are compared. Started as a process of its own, with that version alone,

    python -m assay.pipeline.canary_job FOLDER

reads FOLDER/task.json and writes FOLDER/result.json. It is how later versions ask this one, so names and meanings stay:

{"describe": ["ci"]}        the studies at these scales: {scale: {study: {"digest": ..., "code": {module: hash}, "canary": ...}}},
                            at ci with those of config/canaries
{"measure": ["mixup"]}      train and measure these at the scale ci: {study: {what: sha256}}, of one that fails {"error": line}
{"again": "mixup"}          train a network of the study, stopped on its way and gone on with: the same form
{"share": "mixup"}          train it as one of the two processes that torch's variables (RANK, ...) tell of: the same form
{"watch": ["assay.x"]}      beside others: tell which lines of these modules were run

"canary" is what the study's canary is computed with, which is more than its code at a scale that trains one repetition alone: a
network whose repetitions can be trained together is trained with a second one, as at larger scales.

The result is {"result": ..., "ran": {module: [line, ...]}}. A line on standard output follows each study.
"""

# No more than this is imported here: modules are watched before they are imported.
import json
import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from importlib.util import find_spec
from itertools import chain, repeat
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from assay.language.recipes import Recipe
    from assay.language.study import Study
    from assay.training.network import Trained

SCALE = "ci"
TOGETHER = 2  # repetitions of a network that can be trained together


def do(folder: Path) -> None:
    """Do the task in the folder."""
    task = json.loads((folder / "task.json").read_text())
    ran = watch(task.get("watch", ()))
    result = describe(task["describe"]) if "describe" in task else {}
    for name in task.get("measure", ()):
        result[name] = _said(name, measured, folder)
    for kind, function in (("again", gone_on_with), ("share", shared)):
        if name := task.get(kind):
            result[name] = result.get(name, {}) | _said(name, function, folder)
    lines = {module: sorted(found) for module, found in ran.items()}
    (folder / "result.json").write_text(json.dumps({"result": result, "ran": lines}))


def watch(modules: Iterable[str]) -> dict[str, set[int]]:
    """From now on note the lines of these modules that are run."""
    ran: dict[str, set[int]] = {module: set() for module in modules}
    files = {spec.origin: ran[module] for module in ran if (spec := find_spec(module))}

    def entered(frame: FrameType, event: str, argument: Any) -> Callable | None:
        lines = files.get(frame.f_code.co_filename)
        if lines is None:
            return None

        def passed(frame: FrameType, event: str, argument: Any) -> Callable:
            lines.add(frame.f_lineno)
            return passed

        return passed(frame, event, argument)

    if files:
        threading.settrace(entered)
        sys.settrace(entered)
    return ran


def describe(scales: Iterable[str]) -> dict[str, dict]:
    """All studies that compile at these scales: what they measure, and the code they do it with."""
    from assay.errors import StudyError
    from assay.evidence.tables import study_code
    from assay.language.studies import load_studies, study_paths

    found: dict[str, dict] = {}
    for scale in scales:
        found[scale] = {}
        for name in study_paths(canaries=scale == SCALE):
            with suppress(StudyError):
                study = load_studies(scale, only=[name], canaries=True)[name]
                canary = study_code(replace(study, block_size=TOGETHER))
                found[scale][name] = {"digest": study.digest, "code": study_code(study), "canary": canary}
    return found


def _said(name: str, task: Callable[["Study", Path], dict[str, str]], folder: Path) -> dict[str, str]:
    """What a task makes of a study, or the line it failed with, so that the other studies are asked all the same."""
    import torch

    from assay.language.studies import load_studies

    try:
        torch.set_num_threads(1)
        found = task(load_studies(SCALE, only=[name], canaries=True)[name], folder)
    except Exception as error:
        found = {"error": f"{type(error).__name__}: {error}".splitlines()[0]}
    print(name, flush=True)
    return found


def measured(study: "Study", folder: Path) -> dict[str, str]:
    """Train and measure the first block of a study: sha256 of its observations, its arrays, and the weights of each network; of
    networks that were trained with a second repetition, those of the second as well."""
    import torch

    from assay.language.together import packs
    from assay.networks.jobs import train_bundle
    from assay.networks.store import NetworkStore
    from assay.pipeline.measurement import measure_block
    from assay.storage.files import read_json

    block, target = study.blocks[0], folder / "observations" / study.name
    store = NetworkStore(folder / "networks", torch.device("cpu"))
    packed = [recipe for recipe in study.recipes if packs(recipe)]
    alone = [recipe for recipe in study.recipes if recipe not in packed]
    manifests = [store.folder / f"{study.name}-{kind}.json" for kind in ("packed", "alone")]
    train_bundle(packed, range(TOGETHER), store, manifests[0], _note)
    train_bundle(alone, block.repetitions, store, manifests[1], _note)
    measure_block(study, block, store, target, say=_note)
    found = read_json(target / "provenance.json")
    weights = sorted(checksum for each in found["recipes"].values() for checksum in each)
    second = sorted(each[str(TOGETHER - 1)] for each in read_json(manifests[0])["networks"].values())
    said = {"observations": found["sha256"], "arrays": found["arrays_sha256"], "weights": " ".join(weights)}
    return said | ({"together": " ".join(second)} if second else {})


def gone_on_with(study: "Study", folder: Path) -> dict[str, str]:
    """Train one of its networks, stop after the first step, and go on from the checkpoint: one repetition alone, and two together
    where they can be."""
    import torch

    from assay.data.batch import to_tensors
    from assay.errors import PreemptedError
    from assay.language.together import packs
    from assay.training.beginnings import make_world
    from assay.training.setting import Setting
    from assay.training.together import train_together
    from assay.training.trainer import train

    recipe, seeds = sharable(study), range(TOGETHER)

    def again(name: str, training: Callable[[Setting], Any]) -> Any:
        stops = chain([True], repeat(False))
        setting = Setting(checkpoint=folder / f"{name}.checkpoint", stop=lambda: next(stops))
        with suppress(PreemptedError):
            training(setting)
        return training(setting)

    said = {"gone_on_with": _checksum(recipe, again("again", lambda setting: train(recipe, 0, setting)), folder)}
    if packs(recipe):
        worlds = [to_tensors(make_world(recipe, seed), torch.device("cpu")) for seed in seeds]
        both = again("together", lambda setting: train_together(recipe, seeds, [setting] * TOGETHER, worlds))
        said["gone_on_with_together"] = " ".join(_checksum(recipe, each, folder) for each in both)
    return said


def shared(study: "Study", folder: Path) -> dict[str, str]:
    """Train one of its networks as one of several processes; the first says what came out."""
    import torch

    from assay.training.distributed import joined
    from assay.training.setting import Setting
    from assay.training.trainer import train

    recipe = sharable(study)
    with joined(torch.device("cpu")) as group:
        trained = train(recipe, 0, Setting(group=group))
        return {"shared": _checksum(recipe, trained, folder)} if group.leads else {}


def sharable(study: "Study") -> "Recipe | None":
    """The first of its networks that is trained, needs no other, and whose batches several processes can share."""
    alone = (recipe for recipe in study.recipes if not recipe.parents and recipe.splits)
    return next((recipe for recipe in alone if recipe.data["budget"]["epochs"]), None)


def _checksum(recipe: "Recipe", trained: "Trained", folder: Path) -> str:
    import torch

    from assay.networks.store import NetworkStore
    from assay.storage.files import sha256

    store = NetworkStore(folder / "networks", torch.device("cpu"))
    with store.writing(recipe, 0):
        store.save(recipe, 0, trained, {})
        return sha256(store.weights(recipe, 0))


def _note(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    do(Path(sys.argv[1]))
