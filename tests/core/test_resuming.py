"""A training that is stopped at any step and goes on ends as if it had not been; a checkpoint that does not fit is not used."""

import hashlib
import json
import os
import pickle
import signal
import subprocess
import sys
from functools import cache
from types import SimpleNamespace

import pytest
import safetensors.torch
import torch
from torch import nn

from assay.data.batch import to_tensors
from assay.errors import EvidenceError, PreemptedError, TrainingError
from assay.language import plugs
from assay.language.recipes import Recipe
from assay.networks import jobs
from assay.networks.jobs import stop_requests, train_bundle
from assay.networks.store import NetworkStore
from assay.pipeline.running import job
from assay.storage.checkpoints import read_checkpoint, write_checkpoint
from assay.training import run
from assay.training.beginnings import make_world
from assay.training.setting import Setting
from assay.training.trainer import train

STEPS = 6


def plug(name, **parameters):
    return {"plug": name, "parameters": parameters}


def recipe(**changes):
    data = {
        "world": plug("worlds/shapes", size=16, train=48, test=32),
        "model": plug("models/resnet", width=4, blocks=1),
        "augment": [plug("augment/crop"), plug("augment/mixup")],
        "objective": plug("objectives/cross_entropy"),
        "optimizer": plug("optimizers/sgd"),
        "schedule": plug("schedules/cosine"),
        "budget": {"epochs": 2, "batch": 16},
        "start": None,
        "surgery": [],
        "record": [],
        "draws": {"world": 0, "init": 0, "order": 0, "augment": 0},
    }
    return Recipe({**data, **changes})


VIEWS = [plug("augment/views", of=[plug("augment/crop"), plug("augment/flip")], count=2)]
CASES = {
    "plain": recipe(),
    "adam and recorded margins": recipe(optimizer=plug("optimizers/adam"), record=["margins"]),
    "views and their divergence": recipe(augment=[plug("augment/augmix")], objective=plug("objectives/jsd")),
    "a teacher": recipe(objective=plug("objectives/distill", teacher={"recipe": recipe().data})),
    "an attack with a random start": recipe(objective=plug("objectives/fgsm_training", attack=plug("attacks/random_sign"))),
    "a projector with batch statistics": recipe(augment=VIEWS, objective=plug("objectives/simsiam", width=8)),
    "two players": recipe(
        augment=[], model=plug("models/generator"), objective=plug("objectives/gan", discriminator=plug("models/discriminator"))
    ),
    "a second network and running losses": recipe(objective=plug("objectives/lff")),
    "group weights and rows of its own": recipe(
        augment=[],
        world=plug("worlds/urban_shapes", size=16, train=48, test=32),
        objective=plug("objectives/group_dro", factors=["background"]),
    ),
}


@cache
def world_of(asked):
    return to_tensors(make_world(asked, 0), torch.device("cpu"))


@cache
def undisturbed(asked):
    return train(asked, 0, Setting(load_parent=undisturbed), world_of(asked))


def stop_after(steps):
    """A question that is answered with yes at the given step."""
    answers = iter([False] * (steps - 1) + [True])
    return lambda: next(answers, False)


def stopped(asked, checkpoint, steps=STEPS // 2 + 1, **setting):
    """Train for some steps, the last inside an epoch, and leave the checkpoint."""
    with pytest.raises(PreemptedError):
        train(
            asked, 0, Setting(load_parent=undisturbed, checkpoint=checkpoint, stop=stop_after(steps), **setting), world_of(asked)
        )


def same(one, other):
    states = [{**each.network.state_dict(), **each.objective, **each.records} for each in (one, other)]
    return states[0].keys() == states[1].keys() and all(torch.equal(value, states[1][name]) for name, value in states[0].items())


@pytest.mark.parametrize("case", CASES)
def test_a_training_stopped_after_every_step_ends_with_the_same_bits(case, tmp_path):
    asked, checkpoint = CASES[case], tmp_path / "checkpoint"
    for _ in range(STEPS - 1):
        torch.manual_seed(12345)
        stopped(asked, checkpoint, steps=1)
    lines = []
    resumed = train(asked, 0, Setting(load_parent=undisturbed, checkpoint=checkpoint, say=lines.append), world_of(asked))
    assert lines == [f"{asked.name} seed 0: goes on after epoch 1, step 2, from its checkpoint"]
    assert same(resumed, undisturbed(asked))


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 5])
def test_losses_that_are_not_yet_checked_are_not_lost(steps, tmp_path, monkeypatch):
    monkeypatch.setattr(run, "CHECK_EVERY_STEPS", {"cpu": 2})
    whole = train(recipe(), 0, Setting(), world_of(recipe()))
    stopped(recipe(), tmp_path / "checkpoint", steps)
    assert same(train(recipe(), 0, Setting(checkpoint=tmp_path / "checkpoint"), world_of(recipe())), whole)


def test_checkpoints_are_written_on_a_clock(tmp_path, monkeypatch):
    seconds = iter(range(0, 1000, 10))
    monkeypatch.setattr(run.time, "monotonic", lambda: next(seconds))
    written = []
    monkeypatch.setattr(run, "write_checkpoint", lambda path, state: written.append((state["epoch"], state["step"])))
    train(recipe(), 0, Setting(checkpoint=tmp_path / "checkpoint", checkpoint_seconds=15), world_of(recipe()))
    assert written == [(0, 1), (1, 0), (1, 2)]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_real_signal_ends_the_training_after_the_step_in_hand(number, tmp_path):
    before = signal.getsignal(number)

    def kill(epoch, epochs, loss):
        os.kill(os.getpid(), number)

    with stop_requests() as stop, pytest.raises(PreemptedError, match=f"asked to stop after step 3 of {STEPS}; run again"):
        train(recipe(), 0, Setting(checkpoint=tmp_path / "checkpoint", stop=stop, report=kill), world_of(recipe()))
    assert signal.getsignal(number) is before
    resumed = train(recipe(), 0, Setting(checkpoint=tmp_path / "checkpoint"), world_of(recipe()))
    assert same(resumed, undisturbed(recipe()))


def test_a_job_that_is_stopped_goes_on_at_the_repetition_it_had_reached(tmp_path):
    asked = recipe(optimizer=plug("optimizers/sam"))  # whose repetitions are trained one after the other

    def trained(folder, say=lambda line: None):
        train_bundle([asked], range(3), NetworkStore(folder, torch.device("cpu")), folder / "manifest.json", say)
        return {path.name: path.read_bytes() for path in (folder / asked.name).glob("*.safetensors")}

    def kill(line):
        if line.startswith(f"{asked.name} seed 1: epoch 1"):
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(PreemptedError, match="seed 1: asked to stop after step 3"):
        trained(tmp_path / "stopped", kill)
    lines = []
    resumed = trained(tmp_path / "stopped", lines.append)
    assert [line.partition(":")[0].rpartition(" ")[2] for line in lines] == ["1", "1", "2", "2"]
    assert "goes on after epoch 1, step 0" in lines[0]
    assert resumed == trained(tmp_path / "undisturbed")
    assert list((tmp_path / "stopped" / asked.name).glob("*.checkpoint")) == []


def test_no_network_is_charged_for_importing_its_methods(tmp_path, monkeypatch):
    done = []
    monkeypatch.setattr(plugs, "load", lambda kind, name: done.append(f"{kind}/{name}"))
    monkeypatch.setattr(jobs.time, "process_time", lambda: done.append("clock") or 0.0)
    monkeypatch.setattr(jobs, "train", lambda *given: done.append("train") or (_ for _ in ()).throw(PreemptedError("enough")))
    with pytest.raises(PreemptedError, match="enough"):
        train_bundle([recipe()], range(1), NetworkStore(tmp_path, torch.device("cpu")), tmp_path / "manifest.json")
    assert done == [*sorted(recipe().plugs), "clock", "train"]


def test_a_network_in_another_precision_is_trained_anew(tmp_path):
    stores = [NetworkStore(tmp_path, torch.device("cpu"), precision) for precision in ("float32", "bfloat16")]
    found = []
    for store in [*stores, stores[1]]:
        train_bundle([recipe()], range(1), store, tmp_path / "manifest.json")
        found.append(store.about(recipe(), 0))
    assert [about["precision"] for about in found] == ["float32", "bfloat16", "bfloat16"]
    assert found[0]["sha256"] != found[1]["sha256"]
    assert found[1] == found[2]  # to the cost: the third job had nothing to do


SET_UP = """
import json, sys, torch
from threadpoolctl import threadpool_info
from assay.networks.jobs import set_up
set_up("cpu", int(sys.argv[1]), sys.argv[2])
import scipy.linalg, sklearn.metrics
print(json.dumps([torch.get_num_threads(), *(pool["num_threads"] for pool in threadpool_info())]))
print(torch.backends.cudnn.allow_tf32 or torch.backends.cuda.matmul.allow_tf32)
"""


@pytest.mark.parametrize(("told", "asked"), [("1", 2), ("2", 1)])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_job_computes_with_its_threads_whatever_the_environment_says(told, asked, precision):
    environment = {**os.environ, "OMP_NUM_THREADS": told, "OPENBLAS_NUM_THREADS": told, "MKL_NUM_THREADS": told}
    command = [sys.executable, "-c", SET_UP, str(asked), precision]
    threads, tf32 = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.splitlines()
    assert set(json.loads(threads)) == {asked}
    assert len(json.loads(threads)) > 2  # torch, and the pools of NumPy and SciPy
    assert tf32 == str(precision != "float32")


def test_networks_of_a_repetition_share_the_draw_of_their_world(tmp_path, monkeypatch):
    def drawn(asked, seed, load_parent):
        draws.append((asked.data["world"]["parameters"]["train"], seed))
        return make_world(asked, seed, load_parent)

    draws = []
    monkeypatch.setattr(jobs, "make_world", drawn)
    alike = [recipe(), recipe(optimizer=plug("optimizers/adam"), augment=[])]
    others = (recipe(world=plug("worlds/shapes", size=16, train=count, test=32)) for count in range(49, 99))
    first, last = sorted(asked.name for asked in alike)
    between = next(asked for asked in others if first < asked.name < last)  # ordered by name, it would part the two
    together, alone = (NetworkStore(tmp_path / name, torch.device("cpu")) for name in ("together", "alone"))
    few = [*alike, between]
    train_bundle(few, range(2), together, tmp_path / "manifest.json")
    count = between.data["world"]["parameters"]["train"]
    assert sorted(draws) == [(48, 0), (48, 1), (count, 0), (count, 1)]
    for asked in few:
        train_bundle([asked], range(2), alone, tmp_path / "manifest.json")
        for seed in range(2):
            assert together.weights(asked, seed).read_bytes() == alone.weights(asked, seed).read_bytes()


def test_no_job_runs_where_pytorch_is_told_to_run_code_in_files_of_weights(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    asked = SimpleNamespace(log=[tmp_path / "log"], rule="train")
    with pytest.raises(SystemExit) as caught, job(asked):
        pytest.fail("the job ran")
    assert caught.value.code == "train: TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1 lets files of weights run code; unset it"


class Bomb:
    """Unpickled, it leaves a trace."""

    def __init__(self, trace):
        self.trace = str(trace)

    def __reduce__(self):
        return (open, (self.trace, "w"))


def sealed(content):
    """Content under the digest a checkpoint begins with."""
    return hashlib.sha256(content).hexdigest().encode() + content


def structured(text):
    return sealed(safetensors.torch.save({"0": torch.zeros(2)}, {"state": text}))


def truncated(checkpoint):
    return checkpoint.read_bytes()[:-1]


def with_a_bit_flipped(checkpoint):
    content = bytearray(checkpoint.read_bytes())
    content[-5] ^= 1
    return bytes(content)


def of_other_shapes(checkpoint):
    """Everything that names the training is right, and the last tensor to be restored does not fit."""
    state = read_checkpoint(checkpoint)
    state["taken_down"]["records"]["loss"] = torch.zeros(7)
    write_checkpoint(checkpoint, state)
    return checkpoint.read_bytes()


HARM = {
    "truncated": truncated,
    "empty": lambda checkpoint: b"",
    "one bit flipped": with_a_bit_flipped,
    "of other shapes": of_other_shapes,
    "a pickle": lambda checkpoint: pickle.dumps(Bomb(checkpoint.with_name("trace"))),
    "a pickle under its digest": lambda checkpoint: sealed(pickle.dumps(Bomb(checkpoint.with_name("trace")))),
    "safetensors without a state": lambda checkpoint: sealed(safetensors.torch.save({"0": torch.zeros(2)})),
    "a state that is a list": lambda checkpoint: structured('{"list": []}'),
    "an unknown kind": lambda checkpoint: structured('{"eval": ["1 + 1"]}'),
    "a tensor that is not there": lambda checkpoint: structured('{"dict": [["identity", {"tensor": 3, "order": []}]]}'),
    "nested without end": lambda checkpoint: structured('{"list": [' * 10**5 + "]}" * 10**5),
}


@pytest.mark.parametrize("harm", HARM)
def test_a_checkpoint_that_does_not_fit_is_left_alone_and_said(harm, tmp_path):
    checkpoint = tmp_path / "checkpoint"
    stopped(recipe(), checkpoint)
    checkpoint.write_bytes(HARM[harm](checkpoint))
    lines = []
    trained = train(recipe(), 0, Setting(checkpoint=checkpoint, say=lines.append), world_of(recipe()))
    assert same(trained, undisturbed(recipe()))
    assert len(lines) == 1
    assert lines[0].startswith(f"{checkpoint}: not used, the training begins anew (")
    assert "\n" not in lines[0]
    assert not checkpoint.with_name("trace").exists()


@pytest.mark.parametrize(
    ("changes", "what"),
    [({"seed": 1}, "seed"), ({"recipe": recipe(augment=[])}, "recipe"), ({"code": "other"}, "code")],
)
def test_a_checkpoint_of_another_training_is_not_used(changes, what, tmp_path):
    checkpoint, lines = tmp_path / "checkpoint", []
    stopped(recipe(), checkpoint)
    asked, seed = changes.get("recipe", recipe()), changes.get("seed", 0)
    trained = train(asked, seed, Setting(checkpoint=checkpoint, code=changes.get("code", ""), say=lines.append))
    assert same(trained, train(asked, seed))
    assert [line.rpartition("(")[2] for line in lines] == [f"EvidenceError: it was written with another {what})"]


def test_a_checkpoint_gives_back_values_types_and_memory_layout(tmp_path):
    weight = torch.randn(4, 3, 2, 2).contiguous(memory_format=torch.channels_last)
    state = {
        "tensors": [weight, weight.mT, torch.tensor(3), torch.zeros(0, 2), torch.tensor([True]), weight.bfloat16()],
        "optimizer": {0: {"betas": (0.9, 0.999), "nan": float("nan"), "none": None, "flag": True, "count": 2**62}},
        "empty": {"dict": {}, "list": [], "tuple": ()},
        "text": "tensor",
    }
    write_checkpoint(tmp_path / "checkpoint", state)
    back = read_checkpoint(tmp_path / "checkpoint")
    for one, other in zip(state.pop("tensors"), back.pop("tensors"), strict=True):
        assert torch.equal(one, other)
        assert one.dtype == other.dtype
        assert one.stride() == other.stride()
    assert repr(back) == repr(state)


def test_a_tensor_that_two_names_share_is_stored_under_both(tmp_path):
    layer = nn.Linear(2, 2)
    write_checkpoint(tmp_path / "checkpoint", {"one": layer.weight, "other": layer.weight})
    back = read_checkpoint(tmp_path / "checkpoint")
    assert torch.equal(back["one"], layer.weight)
    assert torch.equal(back["other"], layer.weight)


def test_state_that_is_not_plain_is_refused(tmp_path):
    with pytest.raises(TrainingError, match="the state of a training holds a set; keep tensors and plain numbers"):
        write_checkpoint(tmp_path / "checkpoint", {"objective": {"_extra_state": {1, 2}}})
    assert not (tmp_path / "checkpoint").exists()


def test_a_file_that_is_not_a_checkpoint_is_named(tmp_path):
    path = tmp_path / "checkpoint"
    path.write_text("hello")
    with pytest.raises(EvidenceError, match=f"{path}: truncated, altered or not a checkpoint"):
        read_checkpoint(path)
