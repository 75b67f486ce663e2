"""EfficientNet-Lite0 with its ImageNet weights: timm's own network and loader, photographs whose content is known."""

import sys
from functools import cache
from pathlib import Path

import foolbox
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from assay.language.plugs import load
from assay.storage.manifest import checked
from assay.storage.places import PROJECT
from assay.training import shim  # noqa: F401  (before timm)

# isort: split
from timm import create_model
from timm.data import ImageNetInfo, create_transform, resolve_model_data_config

sys.path.insert(0, str(PROJECT / "bench"))
import packages

build = load("models", "efficientnet_lite0")


@cache
def published():
    model = build(3, 1000, 224)
    mean, spread = model.start_pretrained()
    assert mean.tolist() == spread.tolist() == [0.5] * 3
    return model.eval()


def named(path, **changes):
    """The five likeliest classes of a picture, prepared as timm evaluates this network."""
    model = published()
    transform = create_transform(**{**resolve_model_data_config(model), **changes}, is_training=False)
    with torch.no_grad(), Image.open(path) as image:
        scores, classes = model(transform(image.convert("RGB"))[None]).softmax(1)[0].topk(5)
    return classes.tolist(), scores.tolist()


def test_it_is_timms_network_with_the_stored_weights_to_the_last_bit():
    stored = load_file(checked("efficientnet_lite0.safetensors"))
    oracle = create_model("tf_efficientnet_lite0")
    oracle.load_state_dict({name: value.float() if value.is_floating_point() else value for name, value in stored.items()})
    images = torch.randn(4, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(published()(images), oracle.eval()(images))


def test_every_tensor_of_timms_network_has_one_name_in_the_package():
    """The package's names: sixteen blocks counted through, the first without an expansion."""
    theirs = [f"{module}.weight" for module in packages.OUTSIDE]
    theirs += [f"_blocks.0.{module}.weight" for module in packages.FIRST]
    theirs += [f"_blocks.{block}.{module}.weight" for block in range(1, 16) for module in packages.INSIDE]
    wanted = {name for name in create_model("tf_efficientnet_lite0").state_dict() if name.endswith(".weight")}
    assert {packages.timm_name(name) for name in theirs} == wanted
    assert len(theirs) == len(wanted)


@pytest.mark.parametrize(
    ("picture", "content", "score"),
    [
        ("chelsea", "Egyptian cat", 0.38),
        ("coffee", "espresso", 0.94),
        ("china", "palace", 0.30),
        ("motorcycle_left", "moped", 0.72),
    ],
)
def test_bundled_photographs_are_named(picture, content, score):
    classes, scores = named(PROJECT / f"data/{picture}.png", crop_pct=1.0)
    assert ImageNetInfo().index_to_description(classes[0]) == content
    assert scores[0] == pytest.approx(score, abs=0.03)


def test_foolboxs_twenty_photographs_get_their_labels():
    paths = list(Path(foolbox.__file__).parent.glob("data/imagenet_*.*"))
    ranks = [named(path)[0] for path in paths]
    labels = [int(path.stem.rpartition("_")[2]) for path in paths]
    assert len(paths) == 20
    assert sum(label == rank[0] for label, rank in zip(labels, ranks, strict=True)) >= 17
    assert sum(label in rank for label, rank in zip(labels, ranks, strict=True)) >= 19


def test_grey_images_give_what_they_give_as_colour_images():
    grey = build(1, 1000, 96)
    grey.start_pretrained()
    images = torch.rand(2, 1, 96, 96, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(grey.eval()(images), published()(images.expand(-1, 3, -1, -1)), rtol=1e-3, atol=2e-3)


def test_other_classes_get_a_fresh_classifier_on_the_published_features():
    model = build(3, 10, 96)
    model.start_pretrained()
    assert model.classifier.out_features == 10
    own, theirs = model.state_dict(), published().state_dict()
    assert all(torch.equal(own[name], theirs[name]) for name in own if not name.startswith("classifier"))


def test_without_pretraining_it_starts_from_its_initialisation():
    assert not hasattr(build(3, 10, 96, pretrained=False), "start_pretrained")
