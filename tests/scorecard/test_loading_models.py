"""Models are loaded by what people call them, whole and with the right weights; what cannot be measured is said in one line."""

import shutil
from pathlib import Path

import pytest
import torch
from outside import Small, small
from safetensors.torch import save_file

from assay.errors import StudyError
from assay.language.draws import current
from assay.language.studies import load_studies
from assay.networks.store import NetworkStore
from assay.scorecard.checkpoints import fitting, read_weights, state_digest
from assay.scorecard.data import data_for
from assay.scorecard.loading import load, takes_weights
from assay.scorecard.names import imagenet_names, places, read_names
from assay.scorecard.probing import batch_within, probe
from assay.training.beginnings import build
from assay.training.network import Trained

from timm import create_model  # isort: skip

LITE0 = str(Path(__file__).parents[2] / "data/efficientnet_lite0.safetensors")
SHAPE = (3, 8, 8)


@pytest.fixture(autouse=True)
def here(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parent)


def test_a_name_of_timm_with_a_file_wants_its_images_as_timm_says():
    loaded = load("tf_efficientnet_lite0", LITE0)
    wants = loaded.preparation
    assert (wants.size, wants.crop, wants.interpolation, wants.mean, wants.std) == (224, 0.875, "bicubic", (0.5,) * 3, (0.5,) * 3)
    assert len(loaded.names) == 1000
    assert loaded.about["sha256"] == "5647cc94b3e82b378b772f73904a660641ad2d14639bb404e5996b985c346ef7"
    assert str(wants) == "224 px, 3 channels, crop 0.875, bicubic, center, mean 0.5/0.5/0.5, std 0.5/0.5/0.5"


@pytest.mark.parametrize("wrapper", ["", "module.", "module._orig_mod.", "model."])
@pytest.mark.parametrize("holder", [None, "state_dict"])
def test_wrappers_of_training_are_taken_off_and_said(tmp_path, wrapper, holder):
    state = {f"{wrapper}{key}": value for key, value in small().state_dict().items()}
    path = tmp_path / "best.pth"
    torch.save({holder: state, "epoch": 3} if holder else state, path)
    loaded = load("outside:small", str(path))
    assert state_digest(loaded.model) == state_digest(small())
    assert bool(loaded.said) == bool(wrapper or holder)
    assert all(word in " ".join(loaded.said) for word in (holder or "", wrapper.split(".")[0]))


def test_a_classifier_of_other_classes_comes_with_the_file(tmp_path):
    path = tmp_path / "birds.safetensors"
    save_file(create_model("test_resnet", num_classes=7).state_dict(), path)
    loaded = load("test_resnet", str(path))
    assert (loaded.model.num_classes, loaded.names) == (7, None)
    assert "7 classes" in loaded.said[0]


def test_torchscript_is_measured_as_it_is(tmp_path):
    path = tmp_path / "model.pt"
    torch.jit.trace(small().eval(), torch.rand(1, *SHAPE)).save(path)
    loaded = load(str(path))
    images = torch.rand(2, *SHAPE)
    assert torch.allclose(loaded.model(images), small()(images))
    assert probe(loaded, SHAPE).outputs == 3


def test_onnx_is_refused_with_what_to_do(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"onnx")
    with pytest.raises(StudyError, match=r"'\.onnx'.*as a torch\.nn\.Module"):
        load(str(tmp_path / "model.onnx"))


def test_the_digest_is_of_the_state_after_loading(tmp_path):
    changed = small()
    changed.fc.bias.data[0] += 1
    torch.save(changed.state_dict(), tmp_path / "a.pth")
    first, second = load("outside:small"), load("outside:small", str(tmp_path / "a.pth"))
    assert first.identity["state"] != second.identity["state"]
    assert first.identity["source"] == second.identity["source"] != ""


BAD = {
    "pair": "gives a tuple",
    "maps": "feature maps",
    "nan": "NaN",
    "one": "one logit",
    "random": "differently each time",
    "narrow": "cannot take images",
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_classifier_is_said_at_first_sight(name):
    with pytest.raises(StudyError, match=BAD[name]):
        probe(load(f"outside:{name}"), SHAPE)


def test_whether_gradients_reach_the_image_is_seen_at_first_sight():
    assert probe(load("outside:small"), SHAPE).differentiable
    assert not probe(load("outside:detached"), SHAPE).differentiable


def test_a_model_that_changes_its_input_is_shown_copies():
    assert probe(load("outside:greedy"), SHAPE).outputs == 3


WRONG = {
    "resnet5000": "did you mean",
    "outside:smal": "did you mean 'small'",
    "nowhere:build": "No module named",
    "outside:failing": "no weights here",
    "outside:number": "not a torch.nn.Module",
    LITE0: "weights without an architecture",
    "/": "no seed-",
}


@pytest.mark.parametrize("named", WRONG)
def test_what_names_no_model_is_said_in_a_line(named):
    with pytest.raises(StudyError, match=WRONG[named]) as error:
        load(named)
    assert "\n" not in str(error.value)


def test_weights_of_another_architecture_name_their_keys_and_the_model_that_fits(tmp_path):
    path = tmp_path / "x.safetensors"
    save_file(create_model("resnet18", num_classes=5).state_dict(), path)
    with pytest.raises(StudyError, match=r"lacks layer1.0.bn3.bias.*of other shapes.*they fit resnet18"):
        load("resnet50", str(path))
    with pytest.raises(StudyError, match="none of timm's that were tried"):
        load("outside:small", str(_saved(tmp_path, Small(width=5).state_dict())))


def _saved(folder: Path, held) -> Path:
    torch.save(held, folder / "held.pth")
    return folder / "held.pth"


def test_what_fits_is_sought_among_the_models_of_the_same_module():
    assert fitting(create_model("test_vit2").state_dict(), "test_vit") == "test_vit2"


@pytest.mark.parametrize(
    ("held", "said"), [(small(), "run code"), ({"epoch": 1}, "no tensors by name"), ([torch.ones(1)], "holds a list")]
)
def test_a_file_that_holds_no_plain_tensors_is_refused(tmp_path, held, said):
    with pytest.raises(StudyError, match=said):
        read_weights(_saved(tmp_path, held))


def test_a_truncated_file_is_said(tmp_path):
    for source in (Path(LITE0), _saved(tmp_path, small().state_dict())):
        cut = tmp_path / f"cut{source.suffix}"
        cut.write_bytes(source.read_bytes()[:900])
        with pytest.raises(StudyError, match="fetch it again"):
            read_weights(cut)
    with pytest.raises(StudyError, match="no such file"):
        read_weights(tmp_path / "none.pth")


def test_weights_are_for_models_that_take_them():
    assert takes_weights("resnet18")
    assert takes_weights("outside:small")
    assert not takes_weights(LITE0)


def test_a_model_that_needs_more_memory_than_there_is_is_refused_before_the_start():
    loaded = load("outside:small")
    found = probe(loaded, SHAPE)
    assert batch_within(loaded, found, 2**40) == 32
    assert batch_within(loaded, found, 2 * found.memory(4)) == 4
    with pytest.raises(StudyError, match="GiB are free"):
        batch_within(loaded, found, found.memory(1))


def test_multiply_accumulates_are_those_counted_by_hand():
    found = probe(load("outside:small"), SHAPE)
    assert found.macs == 8 * 8 * 4 * 3 * 9 + 4 * 3
    assert found.parameters == 4 * 3 * 9 + 4 + 4 * 3 + 3
    assert found.kept == 4 * (3 * 64 + 2 * 4 * 64 + 4 + 4 + 3)


def test_classes_are_matched_by_name_whatever_their_order_and_spelling(tmp_path):
    found, said = places(["great_white_shark", "n02123159", "Goldfish"], imagenet_names(), 1000, "m")
    assert found == [2, 282, 1]
    assert "matched by name" in said
    (tmp_path / "names.txt").write_text("cat\ndog\n\nbird\n")
    assert places(["bird", "cat"], read_names(tmp_path / "names.txt"), 3, "m")[0] == [2, 0]
    assert places(["x", "y"], None, 2, "m")[0] == [0, 1]


@pytest.mark.parametrize(
    ("classes", "names", "outputs", "said"),
    [
        (["cat"], None, 3, "3 logits without names, and 1 classes"),
        (["cat", "dgo"], ("cat", "dog", "cow"), 3, "nearest to 'dgo': 'dog'"),
        (["cat"], ("cat", "dog"), 3, "3 logits and 2 names"),
        (["crane"], imagenet_names(), 1000, "none of its 1000"),
        (["cat", "Cat"], ("cat", "dog"), 2, "join their folders"),
    ],
)
def test_classes_that_do_not_match_are_said(classes, names, outputs, said):
    with pytest.raises(StudyError, match=said):
        places(classes, names, outputs, "m")


def test_a_file_of_names_is_checked(tmp_path):
    (tmp_path / "names.txt").write_text("cat\ncat\n")
    with pytest.raises(StudyError, match="'cat' stands twice"):
        read_names(tmp_path / "names.txt")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A network of this project as a training leaves it, untrained."""
    study = load_studies("ci", only=["mixup"])["mixup"]
    recipe, folder = study.recipes[0], tmp_path_factory.mktemp("networks")
    torch.manual_seed(0)
    network = build(recipe, 3, 10, 16)
    network.mean += 0.5
    network.eval()
    (folder / recipe.name).mkdir()
    about = {
        "recipe": recipe.data,
        "input": {"channels": 3, "classes": 10, "size": 16},
        "draws": current(),
        "precision": "float32",
    }
    NetworkStore(folder, torch.device("cpu")).save(recipe, 0, Trained(network), about)
    return folder / recipe.name, network


def test_a_network_trained_here_wants_what_it_was_trained_on(trained):
    folder, network = trained
    for named in (folder, folder / "seed-0.safetensors"):
        loaded = load(str(named))
        assert (loaded.preparation.size, loaded.preparation.mean, loaded.name) == (16, (0.5,) * 3, folder.name)
        images = torch.rand(2, 3, 16, 16)
        with torch.no_grad():
            assert torch.equal(loaded.model(images), network.model(images))
        data = data_for(None, loaded)
        assert (data["plug"], data["parameters"]) == (loaded.world["plug"], loaded.world["parameters"])
        assert (data["size"], data["channels"]) == (16, 3)
    with pytest.raises(StudyError, match="brings its own weights"):
        load(str(folder), LITE0)


def test_a_network_whose_bytes_changed_is_refused(trained, tmp_path):
    copy = tmp_path / trained[0].name
    shutil.copytree(trained[0], copy)
    weights = copy / "seed-0.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4])
    with pytest.raises(StudyError, match="missing, truncated or altered"):
        load(str(copy))
