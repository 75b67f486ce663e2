"""Images are decoded once, kept exactly, in a balanced order; what cannot be read is listed or left out."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from assay.errors import DataError, StudyError
from assay.scorecard.data import canonical, data_for, data_name
from assay.scorecard.images import draw, opened
from assay.scorecard.loading import Loaded, Preparation
from assay.worlds._files import read

CPU = torch.device("cpu")
SMALL = Preparation(8)


def silent(line: str) -> None:
    pass


@pytest.fixture
def birds(tmp_path) -> Path:
    generator = np.random.default_rng(0)
    for number, name in enumerate(["a/1", "a/2", "a/3", "b/1"]):
        path = tmp_path / "birds" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(generator.integers(0, 256, (20, 30 + number, 3), np.uint8)).save(path)
    return tmp_path / "birds"


def shown(asked, preparation=SMALL, **options) -> dict:
    return data_for(str(asked), Loaded("m", torch.nn.Identity(), preparation, **options))


def kept(spec: dict, folder: Path, skip: bool = False):
    draw(spec, folder, skip, silent)
    return opened(folder, CPU)


def test_a_folders_images_are_kept_as_they_are_decoded_in_a_balanced_order(birds, tmp_path):
    world, about = kept(shown(birds), tmp_path / "kept")
    assert world.classes == ("a", "b")
    assert set(world.test.labels[:2].tolist()) == {0, 1}
    assert about["images"] == {"train": 0, "test": 4}
    row = world.test.labels.tolist().index(1)
    way = {"size": 8, "crop": 0.875, "interpolation": "bicubic", "mode": "center", "channels": 3}
    expected = torch.from_numpy(read(birds / "b/1.png", **way).copy()).permute(2, 0, 1) / 255
    assert torch.equal(world.test.images[row], expected)
    assert torch.equal(next(world.test.images.split(4))[row], expected)


def test_unreadable_files_are_listed_at_once_or_skipped(birds, tmp_path):
    (birds / "a/broken.jpg").write_bytes(b"no image")
    whole = (birds / "a/3.png").read_bytes()
    (birds / "b/cut.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"2 files.*a/broken.jpg.*b/cut.png.*--skip-unreadable"):
        draw(shown(birds), tmp_path / "kept", False, silent)
    world, about = kept(shown(birds), tmp_path / "kept", skip=True)
    assert len(world.test) == len(world.test.images[:]) == 4
    assert len(about["skipped"]) == 2


def test_a_world_is_drawn_at_the_models_size_and_in_its_channels(tmp_path):
    world, _ = kept(shown("{shapes: {classes: 3, train: 6, test: 9}}", Preparation(12)), tmp_path / "a")
    assert world.test.images.shape == (9, 3, 12, 12)
    grey, _ = kept(shown("{digits: {train: 20, test: 10}}", Preparation(12)), tmp_path / "b")
    assert grey.test.images.shape == (10, 3, 12, 12)
    assert torch.equal(grey.test.images[:, 0], grey.test.images[:, 2])
    with pytest.raises(StudyError, match="3 channels for a model of 1"):
        draw(shown("{photos: {train: 18, test: 18}}", Preparation(8, 1)), tmp_path / "c", False, silent)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("shaeps", "did you mean 'shapes'"),
        ("{shapes: {clases: 3}}", "did you mean 'classes'"),
        ("{shapes: {classes: 99}}", "classes = 99"),
        ("[1, 2]", "neither a folder nor a world"),
        ("noise_images", "say"),
    ],
)
def test_data_that_there_are_not_are_said(asked, said):
    with pytest.raises(StudyError, match=said):
        shown(asked, Preparation(None))


def test_a_missing_folder_is_said_when_it_is_drawn(tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        draw(shown("/nowhere/birds"), tmp_path / "kept", False, silent)


def test_names_of_data(birds):
    assert data_name(None, shown(birds)) == "birds"
    assert data_name(None, shown("shapes")) == "shapes"
    assert canonical("worlds", "shapes") == canonical("worlds", {"shapes": {"classes": 10}})


def test_a_model_without_data_is_asked_for_some():
    with pytest.raises(StudyError, match="--data"):
        data_for(None, Loaded("m", torch.nn.Identity(), SMALL))


def test_imagenet_alone_is_cut_and_scaled_as_the_model_wants(tiny_datasets, tmp_path):
    wants = Preparation(16, crop=1.0, mode="squash")
    spec = shown("imagenet", wants)
    assert (spec["plug"], spec["parameters"]["mode"], data_name("imagenet", spec)) == ("worlds/folder", "squash", "imagenet")
    world, _ = kept(spec, tmp_path / "kept")
    assert all(name.startswith("n0") for name in world.classes)
    assert world.test.images.shape[1:] == (3, 16, 16)


@pytest.mark.parametrize("name", ["imagenet", "cifar10"])
def test_data_sets_of_the_field_are_shown_to_any_model(tiny_datasets, tmp_path, name):
    size = "size: 24, " if name == "imagenet" else ""
    world, about = kept(shown(f"{{{name}: {{{size}train: 20, test: 30}}}}", Preparation(24)), tmp_path / name)
    assert world.test.images[:].shape == (30, 3, 24, 24)
    assert about["images"] == {"train": 20, "test": 30}
    assert len(world.test.labels[:10].unique()) == 10  # balanced from the first image on
    again, other = kept(shown(f"{{{name}: {{{size}train: 20, test: 30}}}}", Preparation(24)), tmp_path / "again")
    assert (other["digests"], again.test.labels.tolist()) == (about["digests"], world.test.labels.tolist())
