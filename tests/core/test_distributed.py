"""Several processes that train one network: the same gradients as one, and the same end after real signals and kills."""

import dataclasses
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from assay.data.batch import Batch
from assay.errors import StudyError
from assay.language.recipes import Recipe
from assay.networks.launch import TrainingJob, run
from assay.training.beginnings import build
from assay.training.distributed import Group, synchronise_batch_norm
from assay.training.setting import Setting
from assay.training.trainer import train

PATIENCE = 300  # seconds; a loaded machine is slow
PROCESSES = 2


def plug(name, **parameters):
    return {"plug": name, "parameters": parameters}


def recipe(**changes):
    data = {
        "world": plug("worlds/shapes", size=16, train=132, test=32),
        "model": plug("models/mlp"),
        "augment": [plug("augment/crop"), plug("augment/mixup")],
        "objective": plug("objectives/cross_entropy"),
        "optimizer": plug("optimizers/sgd", lr=0.05, momentum=0.9, weight_decay=5e-4),
        "schedule": plug("schedules/cosine"),
        # 132 images in 4 batches of 33: two processes get 17 and 16 rows.
        "budget": {"epochs": 2, "batch": 33},
        "start": None,
        "surgery": [],
        "record": ["margins"],
        "draws": {"world": 0, "init": 0, "order": 0, "augment": 0},
    }
    return Recipe({**data, **changes})


SHORT = recipe()
# Long enough to be interrupted, with state of every kind: batch statistics, two moments, views, a projector.
LONG = recipe(
    model=plug("models/resnet", width=4, blocks=1),
    augment=[plug("augment/views", of=[plug("augment/crop"), plug("augment/flip")], count=2)],
    objective=plug("objectives/simsiam", width=8),
    optimizer=plug("optimizers/adam"),
    budget={"epochs": 40, "batch": 33},
    record=[],
)


def job(folder: Path, *recipes: Recipe) -> TrainingJob:
    return TrainingJob([each.data for each in recipes], "0-0", "cpu", str(folder / "manifest.json"), threads=PROCESSES)


def weights(folder: Path, of: Recipe) -> dict[str, torch.Tensor]:
    return load_file(folder / of.name / "seed-0.safetensors")


class Launch:
    """A job in a process of its own, as a scheduler would run it."""

    PROGRAM = """
import json, sys
from pathlib import Path
from assay.errors import AssayError
from assay.networks.launch import TrainingJob, run
try:
    run(TrainingJob(**json.loads(sys.argv[1])), int(sys.argv[2]), Path(sys.argv[3]))
except AssayError as error:
    sys.exit(f"{type(error).__name__}: {error}")
"""

    def __init__(self, folder: Path, *recipes: Recipe):
        self.log = folder / "log"
        self.log.write_text("")
        described = json.dumps(dataclasses.asdict(job(folder, *recipes)))
        command = [sys.executable, "-c", self.PROGRAM, described, str(PROCESSES), str(self.log)]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)

    def until(self, line: str) -> "Launch":
        deadline = time.monotonic() + PATIENCE
        while line not in self.log.read_text():
            assert self.process.poll() is None, self.process.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return self

    @property
    def workers(self) -> list[psutil.Process]:
        return sorted(psutil.Process(self.process.pid).children(), key=lambda worker: int(worker.environ()["RANK"]))

    def finish(self) -> tuple[int, str]:
        """Exit status and the last line of what was said to the terminal."""
        _, said = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, (said.strip().splitlines() or [""])[-1]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", str(PROCESSES))
        run(job(folder, SHORT, LONG), PROCESSES, folder / "log")
    return folder


def test_two_processes_train_the_network_that_one_trains(undisturbed):
    alone, shared = train(SHORT, 0), weights(undisturbed, SHORT)
    # Sums over 33 rows in another order: some 33 roundings of 6e-8 a gradient, over 8 steps of rate 0.05 and momentum.
    for name, value in alone.network.state_dict().items():
        assert torch.allclose(shared[f"network.{name}"], value, rtol=1e-4, atol=1e-6), name
    assert torch.allclose(shared["records.loss"], alone.records["loss"], rtol=1e-5)
    assert torch.allclose(shared["records.margins"], alone.records["margins"], atol=1e-4)
    unlike = train(recipe(augment=[]), 0).network.state_dict()
    assert not torch.allclose(shared["network.model.fc.weight"], unlike["model.fc.weight"], rtol=1e-4, atol=1e-6)


def test_the_sidecar_says_how_it_was_trained(undisturbed):
    about = json.loads((undisturbed / SHORT.name / "seed-0.json").read_text())
    assert about["processes"] == PROCESSES
    assert about["threads"] == 1  # each process its share of the job's, and not what OMP_NUM_THREADS says
    assert about["precision"] == "float32"
    assert about["device"] == "cpu"
    assert about["images_per_second"] > 0


def test_a_job_that_is_stopped_and_killed_ends_with_the_same_bits(undisturbed, tmp_path):
    stopped = Launch(tmp_path, SHORT, LONG).until(f"{LONG.name} seed 0: epoch 8 of")
    stopped.process.send_signal(signal.SIGTERM)
    status, line = stopped.finish()
    assert (status, line) == (1, "PreemptedError: asked to stop by SIGTERM; run again, it goes on where it was")
    assert (tmp_path / LONG.name / "seed-0.checkpoint").exists()
    assert not (tmp_path / "manifest.json").exists()

    bereft = Launch(tmp_path, SHORT, LONG).until("from its checkpoint")
    bereft.workers[1].kill()
    status, line = bereft.finish()
    assert status == 1
    assert line.startswith("TrainingError: process 2 of 2 failed: Signal 9 (SIGKILL)")

    finished = Launch(tmp_path, SHORT, LONG)
    assert finished.finish() == (0, "")
    assert "from its checkpoint" in finished.log.read_text()
    for each in (SHORT, LONG):
        whole, resumed = weights(undisturbed, each), weights(tmp_path, each)
        assert whole.keys() == resumed.keys()
        assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_an_error_in_the_processes_is_the_error_of_the_job(tmp_path):
    wild = recipe(optimizer=plug("optimizers/sgd", lr=1e30, momentum=0.0, weight_decay=0.0))
    status, line = Launch(tmp_path, wild).finish()
    assert status == 1
    assert line.startswith(f"TrainingError: {wild.name} seed 0: loss is ")
    assert line.endswith("lower the optimizer's lr")


@pytest.mark.parametrize(
    ("objective", "model"), [("gan", "generator"), ("simclr", "resnet"), ("group_dro", "resnet"), ("lff", "resnet")]
)
def test_an_objective_that_looks_across_samples_refuses_several_processes(objective, model):
    asked = recipe(objective=plug(f"objectives/{objective}"), model=plug(f"models/{model}"))
    with pytest.raises(StudyError, match=f"objectives/{objective}: .* so 2 processes cannot share it; give this job one GPU"):
        train(asked, 0, Setting(group=Group(0, 2)))


def test_fewer_samples_than_processes_are_refused():
    with pytest.raises(StudyError, match="budget: batch: 1 is less than 2 processes"):
        train(recipe(budget={"epochs": 1, "batch": 1}), 0, Setting(group=Group(0, 2)))


def test_batch_norm_is_replaced_where_it_is_and_computes_the_same_in_evaluation():
    network = build(recipe(model={"plug": "models/timm", "parameters": {"name": "test_efficientnet"}}), 3, 10, 32).eval()
    images = torch.rand(2, 3, 32, 32)
    before = network(images)
    synchronise_batch_norm(network, Group(0, 2), torch.device("cuda"))
    norms = [module for module in network.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    assert len(norms) > 10
    assert all(isinstance(module, nn.SyncBatchNorm) for module in norms)
    assert torch.allclose(network(images), before, atol=1e-6)


def test_the_parts_of_a_batch_are_the_batch():
    images = torch.rand(7, 3, 4, 4)
    rows = torch.arange(7)
    batch = Batch(images, rows, torch.rand(7, 2), rows, images, 0.5, (images + 1,), {"group": rows})
    parts = [Group(rank, 3).part(batch) for rank in range(3)]
    assert [len(part) for part in parts] == [3, 2, 2]
    assert torch.equal(torch.cat([part.images for part in parts]), images)
    assert torch.equal(torch.cat([part.views[0] for part in parts]), images + 1)
    for field in ("labels", "index"):
        assert torch.equal(torch.cat([getattr(part, field) for part in parts]), rows)
    assert torch.equal(torch.cat([part.factors["group"] for part in parts]), rows)
    assert torch.equal(torch.cat([part.targets for part in parts]), batch.targets)
