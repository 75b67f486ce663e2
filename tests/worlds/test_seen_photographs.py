"""Photographs as networks with published weights see them: pixel for pixel timm's own evaluation, by study and by hand."""

import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from assay.data.batch import to_tensors
from assay.data.seeds import Draw
from assay.datasets.retrieving import finish
from assay.errors import StudyError
from assay.language.recipes import Recipe
from assay.language.scales import load_scale
from assay.language.seeing import SEEN, published, seen_as
from assay.language.studies import compile_study
from assay.measuring.evaluate import predict
from assay.training import shim  # noqa: F401  (before timm)
from assay.training.beginnings import initial_network, make_world
from assay.training.setting import Setting
from assay.worlds._imagenet import View, photograph
from assay.worlds.imagenet import imagenet

# isort: split
from timm import create_model, list_pretrained
from timm.data import create_transform, resolve_data_config, resolve_model_data_config
from timm.models import get_pretrained_cfg

DATA = Path(__file__).parents[2] / "data"
PICTURES = ("chelsea", "coffee", "rocket", "china", "flower", "astronaut", "retina")
# Each a form of its own: bicubic, another share, larger images, both sides resized, a share above 1, bilinear of the whole.
NAMES = (
    "tf_efficientnet_lite0",
    "resnet50.a1_in1k",
    "tf_efficientnet_b4.ns_jft_in1k",
    "vit_so400m_patch14_siglip_384",
    "inception_v3.tv_in1k",
    "convnext_tiny.fb_in22k_ft_in1k_384",
)


def model(name, **parameters):
    return {"plug": "models/timm", "parameters": {"name": name, "pretrained": True, **parameters}}


def timms(name):
    """timm's own evaluation of a name's weights, up to pixels."""
    config = resolve_data_config(pretrained_cfg=get_pretrained_cfg(name).to_dict())
    return create_transform(**config, is_training=False, normalize=False)


def first_with(**wanted):
    """A name whose configuration timm wrote so."""
    configs = ((name, get_pretrained_cfg(name)) for name in list_pretrained())
    return next(name for name, cfg in configs if all(getattr(cfg, key) == value for key, value in wanted.items()))


def read(path, name):
    return photograph(path, view=View(**seen_as(model(name))))


@pytest.mark.parametrize("name", [*NAMES, first_with(crop_pct=1.15), first_with(crop_mode="squash", crop_pct=0.95)])
def test_photographs_are_timms_pixel_for_pixel(name, tmp_path):
    narrow = tmp_path / "narrow.png"  # smaller than what is cut out, by an odd number of pixels
    Image.open(DATA / "chelsea.png").resize((61, 187)).save(narrow)
    for path in (*(DATA / f"{picture}.png" for picture in PICTURES), narrow):
        wanted = timms(name)(Image.open(path).convert("RGB")).permute(1, 2, 0).numpy()
        np.testing.assert_array_equal(read(path, name), wanted, err_msg=path.name)


def test_one_reading_for_all_would_be_another():
    usual = photograph(DATA / "coffee.png", view=View())
    assert (usual != read(DATA / "coffee.png", "tf_efficientnet_lite0")).mean() > 0.2


def test_configurations_are_timms_own():
    """Of every name with weights, beside the few that no world reads as timm does."""
    unread = []
    for name in list_pretrained():
        config = resolve_data_config(pretrained_cfg=get_pretrained_cfg(name).to_dict())
        found = seen_as(model(name))
        assert [found[key] for key in SEEN[1:]] == [config[key] for key in SEEN[1:]]
        sides = {*config["input_size"][1:]}
        unread += [name] if len(sides) > 1 or found["crop_mode"] == "border" else []
        assert len(sides) > 1 or found["size"] in sides
    assert len(unread) < 0.01 * len(list_pretrained())
    built = create_model("tf_efficientnet_lite0")
    config = resolve_model_data_config(built)
    assert seen_as(model("tf_efficientnet_lite0")) == {"size": 224, **{key: config[key] for key in SEEN[1:]}}


LITE = {"plug": "models/efficientnet_lite0", "parameters": {"pretrained": True}}


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        (model("resnet50"), "resnet50"),
        (model("resnet50", pretrained=False, weights="own.safetensors"), "resnet50"),
        (model("resnet50", pretrained=False), None),
        (LITE, "tf_efficientnet_lite0"),
        ({"plug": "models/efficientnet_lite0", "parameters": {"pretrained": False}}, None),
        ({"plug": "models/last_layer_ensemble", "parameters": {"backbone": LITE}}, "tf_efficientnet_lite0"),
        ({"plug": "models/linear", "parameters": {}}, None),
    ],
)
def test_whose_weights_a_model_starts_from(spec, name):
    assert published(spec) == name
    assert bool(seen_as(spec)) == (name is not None)


STUDY = """
paper: P166
question: Is it seen as it should be?
base: {{world: {world}}}
networks: {{first: {{model: {{timm: {{name: resnet50.a1_in1k, pretrained: true}}}}}}}}
arms:
  fresh: {{model: {{timm: {{name: resnet50}}}}}}
  lite: {{model: efficientnet_lite0}}
  tuned: {{model: {{timm: {{name: resnet50.a1_in1k, pretrained: true}}}}, start: first}}
  {more}
protocol: {protocol}
controls: [lite.top1 > -1]
expect: [lite.top1 > fresh.top1]
"""

LAPTOP = load_scale("laptop")


def compiled(folder, world="imagenet", more="", protocol="classify", scale=LAPTOP):
    path = folder / "tests" / "small.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(STUDY.format(world=world, more=more, protocol=protocol))
    return compile_study(path, "tests", scale)


def seen(spec):
    return [spec["parameters"][key] for key in SEEN]


def test_a_study_s_worlds_are_read_for_its_networks(tmp_path):
    fresh, lite, tuned = (cell.recipe for cell in compiled(tmp_path).cells)
    assert seen(fresh.data["world"]) == [16, 0.875, "bilinear", "center"]  # the scale's size
    assert seen(lite.data["world"]) == [224, 0.875, "bicubic", "center"]
    assert seen(tuned.data["world"]) == seen(tuned.parents[0].data["world"]) == [224, 0.95, "bicubic", "center"]


def test_what_the_study_says_itself_stays(tmp_path):
    lite = compiled(tmp_path, "{imagenet: {size: 96, interpolation: bilinear}}").cells[1].recipe
    assert seen(lite.data["world"]) == [96, 0.875, "bilinear", "center"]


def test_worlds_inside_others_are_read_so_too(tmp_path):
    lite = compiled(tmp_path, "{random_labels: {of: {imagenet: {variants: [v2]}}}}").cells[1].recipe
    assert seen(lite.data["world"]["parameters"]["of"]) == [224, 0.875, "bicubic", "center"]


def test_worlds_of_a_protocol_are_read_for_the_arm(tmp_path):
    fresh, lite, _ = compiled(tmp_path, protocol="{ood: {far: [imagenet], near: shapes, tune_on: shapes}}").cells
    assert seen(fresh.protocol["parameters"]["far"][0]) == [16, 0.875, "bilinear", "center"]
    assert seen(lite.protocol["parameters"]["far"][0]) == [224, 0.875, "bicubic", "center"]


def test_stand_ins_are_read_so_too(tmp_path):
    cluster = load_scale("cluster")
    cluster = cluster.model_copy(update={"settings": {"imagenet": cluster.settings["imagenet"]}, "studies": {}})
    fresh, lite, _ = (cell.recipe for cell in compiled(tmp_path, "shapes", scale=cluster).cells)
    assert seen(fresh.data["world"]) == [224, 0.875, "bilinear", "center"]
    assert seen(lite.data["world"]) == [224, 0.875, "bicubic", "center"]


@pytest.mark.parametrize(
    ("name", "said"), [(first_with(crop_mode="border"), "crop_mode: 'border'"), (first_with(input_size=(3, 1024, 768)), "size: ")]
)
def test_what_no_world_reads_is_refused_in_a_line(tmp_path, name, said):
    more = f"other: {{model: {{timm: {{name: {name}, pretrained: true}}}}}}"
    with pytest.raises(StudyError, match=f"{said}.* is not allowed") as error:
        compiled(tmp_path, more=more)
    assert "\n" not in str(error.value)


def test_timm_that_cannot_be_asked_is_a_line(tmp_path, monkeypatch):
    monkeypatch.setattr("assay.language.seeing.configurations", dict)
    with pytest.raises(StudyError, match="timm cannot be asked how photographs are read for tf_efficientnet_lite0; mend"):
        compiled(tmp_path, more="other: {model: efficientnet_lite0}")


@pytest.fixture
def faked(tiny_datasets, tmp_path, monkeypatch):
    """ImageNet's folders with bundled photographs as its validation images, one a class."""
    shutil.copytree(tiny_datasets / "imagenet", tmp_path / "sets/imagenet")
    monkeypatch.setenv("ASSAY_DATASETS", str(tmp_path / "sets"))
    for folder, picture in zip(sorted((tmp_path / "sets/imagenet/val").iterdir()), PICTURES, strict=False):
        for number, image in enumerate(sorted(folder.iterdir())):
            if number:
                image.unlink()
            else:
                Image.open(DATA / f"{picture}.png").convert("RGB").save(image, quality=95)
    finish("imagenet", {}, lambda line: None)
    return tmp_path / "sets/imagenet"


def test_published_weights_answer_as_in_timm(faked, tmp_path):
    """From a study's text to logits, on photographs: timm's transform and model on the same files."""
    lite = compiled(tmp_path, "{imagenet: {train: 10, test: 10}}", more="zero: {model: efficientnet_lite0, budget: {epochs: 0}}")
    recipe = lite.cells[3].recipe
    world = to_tensors(make_world(recipe, 0), torch.device("cpu"))
    network = initial_network(recipe, 0, world, Setting()).eval()
    ours = network.features(world.test.images[:])
    oracle = create_model("tf_efficientnet_lite0", num_classes=0).eval()
    theirs = {name: value for name, value in network.model.state_dict().items() if not name.startswith("classifier")}
    oracle.load_state_dict(theirs)
    transform = create_transform(**resolve_model_data_config(oracle), is_training=False)
    images = torch.stack([transform(Image.open(faked / file).convert("RGB")) for file in world.test.images.stream.files])
    with torch.no_grad():
        wanted = oracle(images)
    assert (network.normalise(world.test.images[:]) - images).abs().max() < 1e-6
    torch.testing.assert_close(ours, wanted, rtol=1e-4, atol=1e-4)
    other = Recipe({**recipe.data, "world": compiled(tmp_path).cells[0].recipe.data["world"]})
    assert other.world != recipe.world
    assert predict(network, world.test.images).shape == (10, 10)


def test_networks_that_see_otherwise_get_the_same_photographs(faked, tmp_path):
    usual, lite = (make_world(cell.recipe, 3).test for cell in compiled(tmp_path, "{imagenet: {train: 9, test: 9}}").cells[:2])
    assert usual.images.files.tolist() == lite.images.files.tolist()
    assert usual.labels.tolist() == lite.labels.tolist()


def test_another_view_is_other_data(faked):
    """What a network was trained on is told by a digest, which holds how photographs were read."""
    world = partial(imagenet, Draw("world", 0, 0), train=10, test=10, size=32)
    digests = [
        world(**view).test.images.digest()
        for view in ({}, {"crop_pct": 1.0}, {"interpolation": "bicubic"}, {"crop_mode": "squash"}, {"crop_pct": 0.875})
    ]
    assert len(set(digests)) == 4
    assert digests[0] == digests[4]
