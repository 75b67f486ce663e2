"""Repetitions trained together against the same trained alone: in double precision the same numbers, whatever is asked for."""

import contextlib
import json
from dataclasses import replace
from functools import cache

import pytest
import torch
from torch import nn

from assay.data.batch import to_tensors
from assay.errors import PreemptedError, TrainingError
from assay.language import studies
from assay.language import together as listing
from assay.language.recipes import Recipe
from assay.language.studies import load_studies
from assay.language.together import MODELS, packs, together
from assay.networks import jobs
from assay.networks.jobs import code_of, train_bundle
from assay.networks.store import NetworkStore
from assay.pipeline import canary_job
from assay.provenance.fingerprints import TOGETHER, fingerprint_of_networks
from assay.training import packing, run
from assay.training.beginnings import initial_network, make_world
from assay.training.packing import Packed, UnpackableError
from assay.training.setting import Setting
from assay.training.together import Lane, train_together
from assay.training.trainer import train

CPU = torch.device("cpu")
SEEDS = range(3)
STEPS = 20


def plug(kind, **parameters):
    return {"plug": kind, "parameters": parameters}


def recipe(**changes):
    data = {
        "world": plug("worlds/shapes", size=16, train=40, test=16),
        "model": plug("models/mlp", width=12, hidden=2, drop_rate=0.0),
        "augment": [],
        "objective": plug("objectives/cross_entropy", label_smoothing=0.0),
        "optimizer": plug("optimizers/sgd", lr=0.1, momentum=0.9, weight_decay=0.01),
        "schedule": plug("schedules/cosine"),
        "budget": {"epochs": 4, "batch": 8},
        "start": None,
        "surgery": [],
        "record": ["margins"],
        "draws": {"world": 0, "init": 0, "order": 0, "augment": 0},
    }
    return Recipe({**data, **changes})


CONVNET = plug("models/convnet", width=3, dense=8, kernel=3, drop_rate=0.0)
MODEL_CASES = {
    "allconv": plug("models/allconv", width=2),
    "allconv without norm": plug("models/allconv", width=2, norm=False),
    "blurpool before": plug("models/blurpool_resnet", width=2, taps=3, place="before"),
    "blurpool after": plug("models/blurpool_resnet", width=2, taps=5, place="after"),
    "blurpool none": plug("models/blurpool_resnet", width=2, taps=1),
    "convnet": CONVNET,
    "linear": plug("models/linear"),
    "mlp": recipe().data["model"],
    "resnet": plug("models/resnet", width=4, blocks=2),
    "squeezed": plug("models/squeezed", of=CONVNET, bits=2),
    "vit": plug("models/vit", patch=4, width=12, depth=2, heads=3),
}
URBAN = plug("worlds/urban_shapes", size=16, train=40, test=16)
AUGMENT_CASES = {
    "augmix": plug("augment/augmix", views=0),
    "color_jitter": plug("augment/color_jitter"),
    "crop": plug("augment/crop"),
    "cutmix": plug("augment/cutmix"),
    "cutout": plug("augment/cutout"),
    "flip": plug("augment/flip"),
    "grayscale": plug("augment/grayscale"),
    "mixup": plug("augment/mixup"),
    "noise": plug("augment/noise"),
    "one_operation": plug("augment/one_operation"),
    "resized_crop": plug("augment/resized_crop"),
    "swap_shortcuts": plug("augment/swap_shortcuts"),
    "views": plug("augment/views", of=[plug("augment/flip")]),
}
ALL = [each for name, each in AUGMENT_CASES.items() if name != "swap_shortcuts"]
OPTIMIZERS = {
    "nesterov": recipe().data["optimizer"],
    "no momentum": plug("optimizers/sgd", lr=0.1, momentum=0.0, weight_decay=0.01),
    "adam": plug("optimizers/adam", lr=0.01, weight_decay=0.1),
}
SCHEDULES = {"constant": plug("schedules/constant"), "stopped": plug("schedules/stopped_cosine", share=0.5)}


@pytest.fixture
def double(monkeypatch):
    """Compute in double precision throughout, also where something asks for single."""
    torch.set_default_dtype(torch.float64)
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)
    yield
    torch.set_default_dtype(torch.float32)


@cache
def world_of(text, seed):
    return to_tensors(make_world(recipe(world=json.loads(text)), seed), CPU)


def worlds_of(asked, dtype=None):
    worlds = [world_of(json.dumps(asked.data["world"]), seed) for seed in SEEDS]
    if dtype is None:
        return worlds

    def cast(split):
        factors = {k: v.to(dtype) if v.is_floating_point() else v for k, v in split.factors.items()}
        return replace(split, images=split.images.to(dtype), factors=factors)

    return [replace(world, train=cast(world.train), test=cast(world.test)) for world in worlds]


def settings(**given):
    return [Setting(**given)] * len(SEEDS)


def state(trained):
    return {**trained.network.state_dict(), **trained.records}


def distance(one, other):
    """The largest relative distance between two trained networks' tensors and records."""
    assert state(one).keys() == state(other).keys()
    pairs = zip(state(one).values(), state(other).values(), strict=True)
    return max(((a.double() - b.double()).norm() / a.double().norm().clamp_min(1e-12)).item() for a, b in pairs)


def furthest(asked):
    worlds = worlds_of(asked, torch.float64)
    alone = [train(asked, seed, Setting(), world) for seed, world in zip(SEEDS, worlds, strict=True)]
    assert asked.data["budget"]["epochs"] * max(1, len(worlds[0].train) // asked.data["budget"]["batch"]) == STEPS
    return max(map(distance, alone, train_together(asked, SEEDS, settings(), worlds)))


@pytest.mark.parametrize("augment", [[], ALL], ids=["plain", "augmented"])
@pytest.mark.parametrize("model", MODEL_CASES.values(), ids=MODEL_CASES)
def test_each_model_computes_what_it_does_alone(double, model, augment):
    assert furthest(recipe(model=model, augment=augment)) < 1e-9


@pytest.mark.parametrize("name", AUGMENT_CASES)
def test_each_augmentation_is_drawn_as_alone(double, name):
    world = URBAN if name == "swap_shortcuts" else recipe().data["world"]
    assert furthest(recipe(world=world, augment=[AUGMENT_CASES[name]])) < 1e-9


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
@pytest.mark.parametrize("model", ["vit", "resnet", "convnet"])
def test_each_optimizer_acts_on_each_repetition_alone(double, model, optimizer):
    assert furthest(recipe(model=MODEL_CASES[model], optimizer=optimizer)) < 1e-9


@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)
def test_schedules_and_soft_targets(double, schedule):
    smooth = plug("objectives/cross_entropy", label_smoothing=0.2)
    assert furthest(recipe(schedule=schedule, objective=smooth, augment=[plug("augment/mixup")])) < 1e-9


@pytest.mark.parametrize(("pool", "tokens"), [("token", 1), ("avg", 17)])
def test_the_last_block_of_a_transformer_computes_the_tokens_that_are_pooled(double, pool, tokens):
    asked = recipe(model=MODEL_CASES["vit"])
    worlds = worlds_of(asked, torch.float64)
    networks = [initial_network(asked, s, w, Setting()) for s, w in zip(SEEDS, worlds, strict=True)]
    for network in networks:
        network.model.global_pool = pool
    packed, seen = Packed(networks), []
    packed.model.blocks[-1].mlp.register_forward_hook(lambda module, inputs, output: seen.append(output.shape))
    images = [world.train.images[:5] for world in worlds]
    logits = packed(images)
    assert seen == [(5 * len(SEEDS), tokens, 12)]
    alone = torch.stack([network(own) for network, own in zip(networks, images, strict=True)])
    assert torch.allclose(logits, alone, rtol=0, atol=1e-12)
    for each in (logits, alone):
        each.square().sum().backward()
    packed_gradients = [own for value, _ in packed.pairs if value.requires_grad for own in value.grad]
    own_gradients = [own.grad for value, owns in packed.pairs if value.requires_grad for own in owns]
    assert len(own_gradients) == sum(len(list(network.parameters())) for network in networks)
    for packed_one, own in zip(packed_gradients, own_gradients, strict=True):
        assert torch.allclose(packed_one, own, rtol=0, atol=1e-11)


def test_the_lists_cover_all_that_is_taken():
    assert {case["plug"] for case in MODEL_CASES.values()} == set(MODELS)
    assert {case["plug"] for case in OPTIMIZERS.values()} == set(listing.OPTIMIZERS)


def _first_seed(self, name):
    """A lane's method, as the first repetition would do it."""
    seed, self.seed = self.seed, 0
    try:
        return getattr(run.Run, name)(self)
    finally:
        self.seed = seed


MUTANTS = {
    "order of the first": lambda m: m.setattr(Lane, "_order", lambda self: _first_seed(self, "_order")),
    "streams of the first": lambda m: m.setattr(Lane, "_start_epoch", lambda self: _first_seed(self, "_start_epoch")),
    "statistics of the first": lambda m: m.setattr(
        Packed, "forward", lambda self, images, plain=Packed.forward: plain(_with_first(self), images)
    ),
    "statistics of all": lambda m: m.setattr(packing._BatchNorm, "forward", _over_all),
    "losses summed over samples": lambda m: m.setattr(
        Lane, "loss", lambda self, logits, batch, plain=Lane.loss: plain(self, logits, batch) * len(batch)
    ),
    "losses averaged over repetitions": lambda m: m.setattr(
        torch.Tensor, "sum", lambda self, *axes, plain=torch.Tensor.sum: plain(self, *axes) / (len(SEEDS) if not axes else 1)
    ),
    "no weight decay": lambda m: m.setitem(recipe_of_mutants().data["optimizer"]["parameters"], "weight_decay", 0.0),
    "no smoothing": lambda m: m.setitem(recipe_of_mutants().data["objective"]["parameters"], "label_smoothing", 0.0),
}


@cache
def recipe_of_mutants():
    smooth = plug("objectives/cross_entropy", label_smoothing=0.1)
    return recipe(model=MODEL_CASES["resnet"], augment=[plug("augment/crop"), plug("augment/mixup")], objective=smooth)


def _with_first(packed):
    packed.mean = packed.mean[:, :3].repeat(1, packed.count, 1, 1)
    return packed


def _over_all(self, maps):
    """Batch normalisation by the moments of all repetitions together."""
    S = len(self.running_mean)
    parts = maps.unflatten(1, (S, -1))
    centred = parts - parts.mean((0, 1, 3, 4), keepdim=True)
    spread = centred.square().mean((0, 1, 3, 4), keepdim=True).add(self.eps).sqrt()
    weight, bias = (value[None, :, :, None, None] for value in (self.weight, self.bias))
    return (centred / spread * weight + bias).flatten(1, 2)


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_wrong_version_is_seen(double, monkeypatch, mutant):
    asked = recipe_of_mutants()
    worlds = worlds_of(asked, torch.float64)
    alone = [train(asked, seed, Setting(), world) for seed, world in zip(SEEDS, worlds, strict=True)]
    assert max(map(distance, alone, train_together(asked, SEEDS, settings(), worlds))) < 1e-9
    MUTANTS[mutant](monkeypatch)
    assert max(map(distance, alone, train_together(asked, SEEDS, settings(), worlds))) > 1e-4


@pytest.mark.parametrize("model", MODEL_CASES.values(), ids=MODEL_CASES)
def test_initial_weights_are_those_of_the_networks_alone_to_the_bit(model):
    asked = recipe(model=model)
    networks = [initial_network(asked, s, w, Setting()) for s, w in zip(SEEDS, worlds_of(asked), strict=True)]
    before = [{name: value.clone() for name, value in network.state_dict().items()} for network in networks]
    packed = Packed(networks)
    count = sum(p.numel() for network in networks for p in network.parameters())
    assert sum(p.numel() for p in packed.parameters()) == count
    for network in networks:
        for parameter in network.parameters():
            parameter.data.zero_()
    packed.unpack()
    for network, values in zip(networks, before, strict=True):
        assert all(torch.equal(value, values[name]) for name, value in network.state_dict().items())
        assert {n: v.stride() for n, v in network.state_dict().items()} == {n: v.stride() for n, v in values.items()}


def test_a_network_is_trained_alike_whoever_is_beside_it(double):
    asked = recipe(model=MODEL_CASES["convnet"])
    worlds = worlds_of(asked, torch.float64)
    three = train_together(asked, SEEDS, settings(), worlds)
    two = train_together(asked, [2, 0], settings()[:2], [worlds[2], worlds[0]])
    assert distance(three[2], two[0]) < 1e-9
    assert distance(three[0], two[1]) < 1e-9


def test_surgery_comes_after_they_are_apart(double):
    asked = recipe(surgery=[plug("surgery/nearest_centroid")])
    assert furthest(asked) < 1e-9


@pytest.mark.parametrize(
    "changes",
    [
        {"objective": plug("objectives/l2_svm")},
        {"optimizer": plug("optimizers/sam")},
        {"model": plug("models/mlp", width=12, hidden=2, drop_rate=0.5)},
        {"model": plug("models/stochastic_depth")},
        {"model": plug("models/squeezed", of=plug("models/aps"), bits=1)},
        {"model": plug("models/timm", name="resnet18")},
        {"budget": {"epochs": 0, "batch": 8}},
        {"start": {"recipe": recipe().data}},
        {"world": plug("worlds/without_flagged", of=plug("worlds/shapes"), runs=[{"recipe": recipe().data}])},
    ],
    ids=str,
)
def test_everything_else_is_trained_alone(changes):
    assert packs(recipe())
    assert not packs(recipe(**changes))


@pytest.mark.parametrize(
    "layer", [nn.GroupNorm(2, 12), nn.Dropout(0.5), nn.BatchNorm1d(12)], ids=lambda layer: type(layer).__name__
)
def test_a_module_that_is_not_listed_is_refused(layer):
    networks = [initial_network(recipe(), s, w, Setting()) for s, w in zip(SEEDS, worlds_of(recipe()), strict=True)]
    for network in networks:
        network.model.layers[0][2] = layer
    with pytest.raises(UnpackableError):
        Packed(networks)


def test_weights_of_a_module_s_own_are_refused():
    networks = [initial_network(recipe(), s, w, Setting()) for s, w in zip(SEEDS, worlds_of(recipe()), strict=True)]
    for network in networks:
        network.model.scale = nn.Parameter(torch.ones(()))
    with pytest.raises(UnpackableError, match="MLP has weights or dropout of its own"):
        Packed(networks)


def stop_after(steps):
    answers = iter([False] * (steps - 1) + [True])
    return lambda: next(answers, False)


def equal(one, other):
    return all(torch.equal(value, state(other)[name]) for name, value in state(one).items())


@pytest.mark.parametrize("model", ["resnet", "vit", "convnet"])
@pytest.mark.parametrize("optimizer", ["nesterov", "adam"])
def test_stopped_after_every_step_it_ends_with_the_same_bits(model, optimizer, tmp_path):
    asked = recipe(
        model=MODEL_CASES[model],
        optimizer=OPTIMIZERS[optimizer],
        augment=[plug("augment/crop"), plug("augment/mixup")],
        budget={"epochs": 2, "batch": 10},
    )
    worlds = worlds_of(asked)
    whole = train_together(asked, SEEDS, settings(), worlds)
    lines = []
    for steps in range(7):
        torch.manual_seed(steps)
        with pytest.raises(PreemptedError, match=f"seeds 0-2: asked to stop after step {steps + 1} of 8; run again"):
            train_together(asked, SEEDS, settings(checkpoint=tmp_path / "it", stop=stop_after(1)), worlds)
    resumed = train_together(asked, SEEDS, settings(checkpoint=tmp_path / "it", say=lines.append), worlds)
    assert lines == [f"{asked.name} seeds 0-2: goes on after epoch 1, step 3, from its checkpoint"]
    assert all(map(equal, whole, resumed))


def test_a_checkpoint_of_other_repetitions_or_code_is_not_used(tmp_path):
    worlds, lines = worlds_of(recipe()), []
    with pytest.raises(PreemptedError):
        train_together(recipe(), SEEDS, settings(checkpoint=tmp_path / "it", stop=stop_after(3)), worlds)
    other = settings(checkpoint=tmp_path / "it", code="other", say=lines.append)
    train_together(recipe(), [0, 1], other[:2], worlds[:2])
    assert lines == [
        f"{tmp_path / 'it'}: not used, the training begins anew (EvidenceError: it was written with another seed and code)"
    ]


def test_a_loss_that_is_not_finite_names_its_repetition():
    worlds = worlds_of(recipe())
    poisoned = worlds[1].train.images.clone()
    poisoned[7] = float("nan")
    worlds[1] = replace(worlds[1], train=replace(worlds[1].train, images=poisoned))
    with pytest.raises(TrainingError, match=r"seed 1: loss is nan at step \d+ of 20 \(epoch 1\)"):
        train_together(recipe(), SEEDS, settings(), worlds)


def test_worlds_that_differ_in_size_are_refused():
    worlds = worlds_of(recipe())
    worlds[0] = world_of(json.dumps(plug("worlds/shapes", size=16, train=48, test=16)), 0)
    with pytest.raises(UnpackableError, match="differ in size"):
        train_together(recipe(), SEEDS, settings(), worlds)


def bundle(folder, seeds=SEEDS, say=lambda line: None):
    store = NetworkStore(folder, CPU)
    train_bundle([recipe()], seeds, store, folder / "manifest.json", say)
    return store


def files(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*.safetensors")}


def test_a_block_is_trained_together_and_says_so(tmp_path):
    lines = []
    store = bundle(tmp_path, say=lines.append)
    sidecars = [store.about(recipe(), seed, code_of(recipe(), 3)) for seed in SEEDS]
    assert [about["together"] for about in sidecars] == [3, 3, 3]
    assert len({about["core_seconds"] for about in sidecars}) == 1
    assert all(about["code"][TOGETHER] == "3" for about in sidecars)
    assert [line for line in lines if "epoch 4 of 4" in line and "seed 2" in line]
    whole = train_together(recipe(), SEEDS, settings(), worlds_of(recipe()))
    assert torch.equal(store.load(recipe(), 1).network.model.fc.weight, whole[1].network.model.fc.weight)
    assert not list(tmp_path.rglob("*.checkpoint"))


def test_one_that_is_missing_is_trained_with_its_block_again_and_the_others_stay(tmp_path):
    store = bundle(tmp_path)
    before = files(tmp_path)
    kept = store.weights(recipe(), 0).stat().st_mtime_ns
    store.weights(recipe(), 1).unlink()
    bundle(tmp_path)
    assert files(tmp_path) == before
    assert store.weights(recipe(), 0).stat().st_mtime_ns == kept


def test_blocks_of_another_size_are_other_networks(tmp_path):
    store = bundle(tmp_path)
    assert store.about(recipe(), 0, code_of(recipe(), 1)) is None
    before = files(tmp_path)
    bundle(tmp_path, seeds=range(1))
    assert files(tmp_path) != before
    assert store.about(recipe(), 0)["together"] == 1


def test_the_number_is_part_of_the_fingerprint_of_what_is_made_from_them_alone():
    tuned = recipe(start={"recipe": recipe().data}, draws={"world": 0, "init": 1, "order": 0, "augment": 0})
    alone = recipe(optimizer=plug("optimizers/sam"))
    assert [together([each], 5) for each in (recipe(), tuned, alone)] == [5, 5, 1]
    assert fingerprint_of_networks([alone], 5) == fingerprint_of_networks([alone], 1)
    assert "assay.training.packing" not in fingerprint_of_networks([alone], 5)
    assert fingerprint_of_networks([tuned], 5)[TOGETHER] == "5"
    assert TOGETHER not in fingerprint_of_networks([tuned], 1)


def test_a_stopped_block_goes_on_where_it_was(tmp_path, monkeypatch):
    whole = files(bundle(tmp_path / "whole").folder)
    asks = iter([False] * 8 + [True])
    with monkeypatch.context() as patch:
        patch.setattr(jobs, "stop_requests", lambda: contextlib.nullcontext(lambda: next(asks, False)))
        with pytest.raises(PreemptedError, match="seeds 0-2: asked to stop after step"):
            bundle(tmp_path / "stopped")
    assert list((tmp_path / "stopped").rglob("seeds-0-2.checkpoint"))
    lines = []
    assert files(bundle(tmp_path / "stopped", say=lines.append).folder) == whole
    assert any("goes on after epoch" in line for line in lines)
    assert not list(tmp_path.rglob("*.checkpoint"))


def test_what_turns_out_not_to_fit_is_trained_alone(tmp_path, monkeypatch):
    lines = []
    monkeypatch.delitem(packing.REWRITES, "assay.models.mlp.MLP")
    store = bundle(tmp_path, say=lines.append)
    assert lines[0] == f"{recipe().name}: one repetition at a time, as assay.models.mlp.MLP is not known to keep networks apart"
    assert store.about(recipe(), 2)["together"] == 1
    alone = train(recipe(), 2, Setting(), worlds_of(recipe())[2])
    assert torch.equal(store.load(recipe(), 2).network.model.fc.weight, alone.network.model.fc.weight)


@pytest.fixture
def canary():
    return load_studies("ci", only=["gpfq-bits"])["gpfq-bits"]


def test_canaries_are_described_with_what_trains_them_together(monkeypatch):
    few = {name: path for name, path in studies.study_paths().items() if name in ("gpfq-bits", "simsiam")}
    monkeypatch.setattr(studies, "study_paths", lambda *config, **more: few)
    told = canary_job.describe(["ci"])["ci"]
    assert "assay.training.packing" not in told["gpfq-bits"]["code"]
    assert told["gpfq-bits"]["canary"].keys() - told["gpfq-bits"]["code"].keys() == {
        "assay.training.packing",
        "assay.training.together",
        TOGETHER,
    }
    assert told["simsiam"]["canary"] == told["simsiam"]["code"]


def test_a_fault_of_training_together_is_seen_by_a_canary(monkeypatch, tmp_path, canary):
    before = canary_job.measured(canary, tmp_path / "before") | canary_job.gone_on_with(canary, tmp_path / "before")
    assert {"together", "gone_on_with_together"} < before.keys()
    MUTANTS["statistics of the first"](monkeypatch)
    after = canary_job.measured(canary, tmp_path / "after") | canary_job.gone_on_with(canary, tmp_path / "after")
    assert {key for key in before if before[key] != after[key]} == {"together", "gone_on_with_together"}


def test_whole_trainings_agree_within_seed_noise():
    asked = recipe(
        world=plug("worlds/digits", size=16, train=512, test=512),
        model=plug("models/convnet", width=8, dense=32, kernel=3, drop_rate=0.0),
        budget={"epochs": 6, "batch": 32},
        optimizer=plug("optimizers/adam", lr=0.005),
        record=[],
    )
    worlds = [to_tensors(make_world(asked, seed), CPU) for seed in SEEDS]

    def accuracy(trained, world):
        with torch.no_grad():
            return (trained.network(world.test.images).argmax(1) == world.test.labels).double().mean().item()

    alone = torch.tensor([accuracy(train(asked, s, Setting(), w), w) for s, w in zip(SEEDS, worlds, strict=True)])
    packed = torch.tensor([accuracy(t, w) for t, w in zip(train_together(asked, SEEDS, settings(), worlds), worlds, strict=True)])
    assert alone.min() > 0.8
    assert (alone - packed).abs().max() < 0.03
