"""The timm plug against timm itself: the same function, weights from files alone, and no network unless it is asked for."""

import pickle
import re
import socket
from functools import partial

import pytest
import torch
from pydantic import TypeAdapter
from safetensors.torch import load_file, save_file
from torch import nn

import assay.models.timm as plug
from assay.errors import StudyError
from assay.language import timm_names
from assay.language.plugs import describe
from assay.language.recipes import Recipe, canonical
from assay.language.scales import load_scale
from assay.language.studies import compile_study
from assay.models.timm import timm
from assay.networks.store import NetworkStore
from assay.training.beginnings import build
from assay.training.trainer import train

from timm import create_model  # isort: skip  (after the shim that the plug imports)

SMALL = {"resnet": "test_resnet", "vit": "test_vit"}
IMAGES = torch.rand(3, 3, 160, 160, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """Published weights, as a file: the state of another fresh network of 1,000 classes."""
    torch.manual_seed(7)
    path = tmp_path_factory.mktemp("weights") / "resnet.safetensors"
    save_file(create_model("test_resnet", num_classes=1000).state_dict(), path)
    return path


@pytest.mark.parametrize("name", SMALL.values())
def test_it_is_timms_model_of_that_name(name, no_network):
    torch.manual_seed(3)
    ours = timm(3, 5, 160, name=name, drop_rate=0.1).eval()
    torch.manual_seed(3)
    theirs = create_model(name, num_classes=5, drop_rate=0.1).eval()
    assert torch.equal(ours(IMAGES), theirs(IMAGES))


def test_a_drop_path_rate_is_handed_on(no_network):
    """The same layers are left out by chance as of timm's own model, which without the rate answers otherwise."""

    def in_training(make, **options):
        torch.manual_seed(3)
        return make(**options).train()(IMAGES)

    ours = in_training(partial(timm, 3, 5, 160), name="test_vit", drop_path_rate=0.5)
    theirs = partial(create_model, "test_vit", num_classes=5)
    assert torch.equal(ours, in_training(theirs, drop_path_rate=0.5))
    assert not torch.equal(ours, in_training(theirs))


@pytest.mark.parametrize("size", [32, 64])
def test_transformers_take_the_worlds_image_size(size):
    model = timm(1, 4, size, name="test_vit")
    assert model.patch_embed.grid_size == (size // 16, size // 16)
    assert model(torch.rand(2, 1, size, size)).shape == (2, 4)


def test_weights_are_those_of_the_file_but_for_a_head_of_other_classes(published, no_network):
    torch.manual_seed(1)
    model = timm(3, 10, 32, name="test_resnet", weights=str(published))
    before = model.conv1[0].weight.clone()
    mean, std = model.start_pretrained()
    file = load_file(published)
    for name, value in model.state_dict().items():
        if name.startswith("fc."):
            assert value.shape[0] == 10
        else:
            assert torch.equal(value, file[name]), name
    assert not torch.equal(before, model.conv1[0].weight)
    assert mean.tolist() == pytest.approx(model.pretrained_cfg["mean"])
    assert std.tolist() == pytest.approx(model.pretrained_cfg["std"])


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module."])
def test_what_a_wrapper_puts_before_every_name_is_left_out(published, tmp_path, prefix):
    path = tmp_path / "wrapped.safetensors"
    save_file({f"{prefix}{name}": value for name, value in load_file(published).items()}, path)
    model = timm(3, 10, 32, name="test_resnet", weights=str(path))
    model.start_pretrained()
    assert torch.equal(model.conv1[0].weight, load_file(published)["conv1.0.weight"])


def test_weights_with_other_names_are_refused_in_a_short_line(published, tmp_path):
    path = tmp_path / "other.safetensors"
    save_file({f"backbone.stage.{number}.{'x' * 60}": torch.zeros(1) for number in range(100)}, path)
    with pytest.raises(StudyError, match="do not fit test_resnet") as caught:
        timm(3, 10, 32, name="test_resnet", weights=str(path)).start_pretrained()
    assert len(str(caught.value)) < 400


def test_a_head_of_as_many_classes_is_kept(tmp_path):
    path = tmp_path / "ten.safetensors"
    save_file(create_model("test_resnet", num_classes=10).state_dict(), path)
    model = timm(3, 10, 32, name="test_resnet", weights=str(path))
    model.start_pretrained()
    assert torch.equal(model.fc.weight, load_file(path)["fc.weight"])


def test_grey_images_get_the_sum_of_the_colour_filters(published):
    model = timm(1, 10, 32, name="test_resnet", weights=str(published))
    mean, _ = model.start_pretrained()
    colour = load_file(published)["conv1.0.weight"]
    assert torch.allclose(model.conv1[0].weight, colour.sum(1, keepdim=True))
    assert mean.tolist() == pytest.approx([sum(model.pretrained_cfg["mean"]) / 3])


def study(tmp_path, model, wrapped=None):
    path = tmp_path / "study.yaml"
    path.write_text(
        canonical(
            {
                "paper": "P166",
                "question": "?",
                "base": {"world": {"shapes": {"train": 20, "test": 10, "size": 32}}, "model": wrapped or {"timm": model}},
                "arms": {"a": {"budget": {"epochs": 0}}},
                "protocol": "classify",
                "controls": ["a.top1 > 0"],
                "expect": ["a.top1 > 0.1"],
            }
        )
    )
    return compile_study(path, "ci", load_scale("ci"))


def test_a_training_starts_from_the_weights_and_normalises_as_they_were_trained(tmp_path, published):
    recipe = study(tmp_path, {"name": "test_resnet", "weights": str(published)}).cells[0].recipe
    network = train(recipe, 0).network
    assert torch.equal(network.model.conv1[0].weight, load_file(published)["conv1.0.weight"])
    assert network.mean.flatten().tolist() == pytest.approx(network.model.pretrained_cfg["mean"])
    fresh = train(study(tmp_path, {"name": "test_resnet"}).cells[0].recipe, 0).network
    assert network.mean.flatten().tolist() != pytest.approx(fresh.mean.flatten().tolist())


def test_a_stored_network_is_read_back_without_the_file(tmp_path, published):
    copy = tmp_path / "w.safetensors"
    copy.write_bytes(published.read_bytes())
    recipe = study(tmp_path, {"name": "test_resnet", "weights": str(copy)}).cells[0].recipe
    store = NetworkStore(tmp_path / "networks", torch.device("cpu"))
    trained = train(recipe, 0)
    (store.folder / recipe.name).mkdir(parents=True)
    store.save(recipe, 0, trained, {"recipe": recipe.data, "input": {"channels": 3, "classes": 10, "size": 32}})
    copy.unlink()
    assert torch.equal(store.load(recipe, 0).network(IMAGES[:, :, :32, :32]), trained.network(IMAGES[:, :, :32, :32]))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: path.write_bytes(pickle.dumps(print)), "not a readable safetensors file"),
        (lambda path: path.write_bytes(b""), "not a readable safetensors file"),
        (lambda path: path.unlink(missing_ok=True), "not a readable safetensors file"),
        (lambda path: save_file({"other": torch.zeros(2)}, path), "do not fit test_resnet"),
        (lambda path: save_file(create_model("test_vit").state_dict(), path), "do not fit test_resnet"),
    ],
    ids=["a pickle", "empty", "missing", "of no model", "of another model"],
)
def test_files_that_hold_no_such_weights(tmp_path, make, said):
    path = tmp_path / "weights.safetensors"
    make(path)
    with pytest.raises(StudyError) as caught:
        timm(3, 10, 32, name="test_resnet", weights=str(path)).start_pretrained()
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("given", [{"pretrained": True}, {"weights": "someone/a-model"}])
def test_weights_that_are_not_in_the_cache_and_cannot_be_fetched(tmp_path, monkeypatch, given):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(StudyError) as caught:
        timm(3, 10, 32, name="resnet18", **given).start_pretrained()
    text = str(caught.value)
    repository = given.get("weights", "timm/resnet18.a1_in1k")
    assert f"model.safetensors of {repository} is not in the cache {tmp_path}" in text
    assert f"hf download {repository} model.safetensors" in text
    assert "\n" not in text


def test_pretrained_takes_the_hubs_cache(tmp_path, monkeypatch, published):
    """The cache as huggingface_hub lays it out, read without a network."""
    revision = "0" * 40
    repository = tmp_path / "models--timm--test_resnet.r160_in1k"
    (repository / "snapshots" / revision).mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(revision)
    (repository / "snapshots" / revision / "model.safetensors").write_bytes(published.read_bytes())
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    model = timm(3, 10, 32, name="test_resnet", pretrained=True)
    model.start_pretrained()
    assert torch.equal(model.conv1[0].weight, load_file(published)["conv1.0.weight"])


def test_from_scratch_nothing_is_asked_of_a_network(monkeypatch, no_network):
    monkeypatch.setattr(plug, "hf_hub_download", None)
    model = timm(3, 10, 32, name="resnet18")
    assert not hasattr(model, "start_pretrained")
    assert isinstance(model, nn.Module)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("resnet5O", "unknown timm model 'resnet5O'; did you mean 'resnet50'?; timm.list_models() has them all"),
        ("resnet50.a1_in", "did you mean 'resnet50.a1_in1k'?"),
        ("timm/resnet18.a1_in1k", "'timm/resnet18.a1_in1k' is a name on the hub; timm's own is 'resnet18.a1_in1k'"),
        ("hf_hub:timm/resnet18.a1_in1k", "is a name on the hub; timm's own is 'resnet18.a1_in1k'"),
        ("hf-hub:timm/resnet18", "is a name on the hub; timm's own is 'resnet18'"),
    ],
)
def test_names_are_checked_from_timms_source(name, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        describe("models", "timm").parameters["name"].normalise(name)


def test_known_names_are_timms_own(tmp_path, monkeypatch):
    import timm as library

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    names = TypeAdapter(timm_names.TimmName)
    timm_names.configurations.cache_clear()
    assert timm_names.architectures() == set(library.list_models())
    assert {name for name in timm_names.weights() if "." in name} > {"resnet50.a1_in1k", "qwen3_vit_306m_enc.qwen3_5_2b"}
    for name in ("resnet50", *library.list_pretrained()):
        assert names.validate_python(name) == name
    for name in ("regnety_2560.seer", "vit_base_patch16_224.sam"):  # texts in timm's source that name no weights
        with pytest.raises(ValueError, match=r"unknown timm model .*; did you mean"):
            names.validate_python(name)
    assert isinstance(
        build(Recipe({"model": {"plug": "models/timm", "parameters": {"name": "test_resnet"}}}), 3, 2, 32), nn.Module
    )


def test_timm_is_asked_once_for_a_version(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    timm_names.configurations.cache_clear()
    first = timm_names.weights()
    timm_names.configurations.cache_clear()
    monkeypatch.setattr(timm_names.subprocess, "run", None)
    assert timm_names.weights() == first
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    timm_names.configurations.cache_clear()
    (kept,) = (tmp_path / "assay").iterdir()
    kept.write_text('["half')
    assert timm_names.weights() == first
    timm_names.configurations.cache_clear()


def test_a_backbone_inside_another_model_starts_from_its_weights_too(tmp_path, published):
    backbone = {"timm": {"name": "test_resnet", "weights": str(published)}}
    recipe = study(tmp_path, None, {"last_layer_ensemble": {"backbone": backbone}}).cells[0].recipe
    network = train(recipe, 0).network
    assert torch.equal(network.model.conv1[0].weight, load_file(published)["conv1.0.weight"])
    assert network.mean.flatten().tolist() == pytest.approx(network.model.pretrained_cfg["mean"])
