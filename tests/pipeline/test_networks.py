"""Trained networks travel from one clone to another, and nothing but what they claim to be is taken."""

import hashlib
import io
import json
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from pipeline_project import VERDICTS, Project

from assay.errors import ArtifactError
from assay.language.scales import load_scale
from assay.language.studies import load_studies
from assay.networks.plan import Bundle, Plan
from assay.networks.transfer import Offer

SECRETS = {"AWS_ACCESS_KEY_ID": "ENVIRONMENTKEY", "AWS_SECRET_ACCESS_KEY": "environment/secret"}
CONFIG = "[core]\n    analytics = false\n    check_update = false\n    remote = store\n['remote \"store\"']\n    url = {store}\n"
PERSONAL = "['remote \"store\"']\n    jobs = 2\n['remote \"far\"']\n    url = s3://lab\n    secret_access_key = local/secret\n"


def assay(project: Project, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "assay.cli", *arguments], cwd=project.root, env=project.environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def use_store(project: Project, store: Path) -> Project:
    project.write(".dvc/config", CONFIG.format(store=store))
    project.write(".dvc/config.local", PERSONAL)
    return project


@pytest.fixture(scope="module")
def author(tmp_path_factory) -> Project:
    """A project that has trained its networks and pushed them."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in SECRETS.items():
            patch.setenv(name, value)
        project = use_store(Project(tmp_path_factory.mktemp("author")), tmp_path_factory.mktemp("store"))
        project.run(VERDICTS)
        said = assay(project, "networks", "push", "--scale", "ci")
    assert "pushed the networks of 4 jobs; 0 are incomplete" in said
    assert not (project.root / "networks-ci").exists()
    return project


@pytest.fixture(scope="module")
def reader(author: Project, tmp_path_factory) -> Project:
    """A second clone, with what the first committed, that pulled the networks."""
    project = clone(author, tmp_path_factory.mktemp("reader"))
    assert "took the networks of 4 jobs; 0 were here; 0 need other code" in assay(project, "networks", "pull", "--scale", "ci")
    return project


def clone(author: Project, root: Path) -> Project:
    """What another machine has of the project: all but results, records and objects."""
    project = author.copy(root)
    for folder in ("results", ".snakemake", ".dvc/cache", ".dvc/tmp"):
        shutil.rmtree(root / folder)
    return project


def test_pulled_networks_are_up_to_date_and_the_results_are_those_of_the_first_clone(author, reader):
    assert reader.planned("train") == set()
    assert reader.planned("measure") == {"plain", "tuned"}
    times = {path: path.stat().st_mtime_ns for path in (reader.root / "results/ci/networks").rglob("*.safetensors")}
    reader.run(VERDICTS)
    assert {path: path.stat().st_mtime_ns for path in times} == times
    assert reader.results() == author.results()
    assert "Nothing to be done" in reader.run("-n", VERDICTS)
    assert "took the networks of 0 jobs; 4 were here" in assay(reader, "networks", "pull", "--scale", "ci")


def test_changed_code_still_trains_exactly_what_it_concerns(reader):
    path = "src/assay/augment/noisy.py"
    reader.edit(path, "batch.images + scale", "batch.images - scale")
    trained = reader.planned("train")
    reader.edit(path, "batch.images - scale", "batch.images + scale")
    assert {name.rsplit("-", 1)[0] for name in trained} == {"linear-shapes-noisy-tuned"}


def test_networks_made_with_other_code_are_not_taken(author, tmp_path):
    project = clone(author, tmp_path)
    project.edit("src/assay/augment/noisy.py", "batch.images + scale", "batch.images - scale")
    assert "took the networks of 3 jobs; 0 were here; 1 need other code" in assay(project, "networks", "pull", "--scale", "ci")
    assert {name.rsplit("-", 1)[0] for name in project.planned("train")} == {"linear-shapes-noisy-tuned"}


def test_networks_of_some_studies(author, tmp_path):
    project = clone(author, tmp_path)
    assay(project, "networks", "pull", "--scale", "ci", "--studies", "plain")
    assert {name.rsplit("-", 1)[0] for name in project.planned("train")} == {"linear-shapes", "linear-shapes-noisy-tuned"}


def test_no_credential_reaches_anything_that_a_run_or_a_push_leaves(author):
    places = [path for path in author.root.rglob("*") if path.is_file() and path.name != "config.local"]
    records = [path for path in places if ".snakemake/metadata" in str(path)]
    assert records
    for path in places:
        content = path.read_bytes()
        for secret in (*SECRETS.values(), "local/secret"):
            assert secret.encode() not in content, path


# What is in an archive, file by file. Its weights are never loaded here, so any bytes will do.


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return next(iter(Plan.at(load_scale("ci"), load_studies("ci", only=["mixup"]).values()).bundles.values()))


@pytest.fixture
def honest(bundle) -> dict[str, bytes]:
    """The files of an archive as a push makes it."""
    files, listed = {}, {}
    for recipe in bundle.recipes:
        for seed in bundle.seeds:
            content = f"{recipe.name} {seed}".encode()
            sha256 = hashlib.sha256(content).hexdigest()
            about = {"recipe": recipe.data, "seed": seed, "code": {"assay.training.run": "0"}, "sha256": sha256}
            files[f"{recipe.name}/seed-{seed}.safetensors"] = content
            files[f"{recipe.name}/seed-{seed}.json"] = json.dumps(about).encode()
            listed.setdefault(recipe.name, {})[str(seed)] = sha256
    from snakemake.persistence import MetadataRecord

    files["manifest.json"] = json.dumps({"networks": listed}).encode()
    files["record.json"] = MetadataRecord(rule="train").model_dump_json().encode()
    return files


def write(path: Path, files: dict[str, bytes], *others: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for member in others:
            archive.addfile(member)
    return path


def test_an_honest_archive_is_accepted_and_does_not_fit_other_code(bundle, honest, tmp_path):
    offer = Offer(bundle, write(tmp_path / "x.tar", honest))
    assert not offer.fits


def link(name: str, kind: bytes, target: str = "/etc/passwd") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


@pytest.mark.parametrize("name", ["../../x", "/etc/x", "other/seed-0.safetensors", "latest.pkl", "./manifest.json"])
def test_a_file_that_is_none_of_the_jobs_is_refused(bundle, honest, tmp_path, name):
    with pytest.raises(ArtifactError, match=f"holds '{name}', which is none of this job's files; refused, nothing was written$"):
        Offer(bundle, write(tmp_path / "x.tar", {**honest, name: b"{}"}))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE])
def test_links_devices_and_folders_are_refused(bundle, honest, tmp_path, kind):
    content = {name: value for name, value in honest.items() if name != "record.json"}
    with pytest.raises(ArtifactError, match=r"'record.json' is no regular file; refused, nothing was written$"):
        Offer(bundle, write(tmp_path / "x.tar", content, link("record.json", kind)))


def altered(honest: dict[str, bytes], suffix: str, **changes) -> dict[str, bytes]:
    name = next(name for name in honest if name.endswith(suffix))
    return {**honest, name: json.dumps({**json.loads(honest[name]), **changes}).encode()}


def test_lies_about_networks_are_refused(bundle, honest, tmp_path):
    weights = next(name for name in honest if name.endswith(".safetensors"))
    recipe = {**bundle.recipes[0].data, "start": None, "draws": {"init": 7}}
    lies = {
        r"is not what its sidecar says \(SHA-256\)": {**honest, weights: honest[weights] + b"x"},
        "claims another recipe or seed": altered(honest, "seed-0.json", recipe=recipe),
        "claims another recipe or  ?seed": altered(honest, "seed-0.json", seed=3),
        "does not say with what code": altered(honest, "seed-0.json", code=None),
        "lists other networks": altered(honest, "manifest.json", networks={}),
        "is no record of a training": altered(honest, "record.json", rule="measure"),
        "is no record of a  ?training": altered(honest, "record.json", extra=1),
        "'manifest.json' is not JSON": {**honest, "manifest.json": b"\x80\x04pickle"},
        "files where": {name: value for name, value in honest.items() if name != weights},
    }
    for number, (message, files) in enumerate(lies.items()):
        with pytest.raises(ArtifactError, match=message.replace("  ?", " ")):
            Offer(bundle, write(tmp_path / f"{number}.tar", files))


def test_something_that_is_no_archive_is_refused(bundle, tmp_path):
    (tmp_path / "x.tar").write_bytes(b"\x80\x04not an archive")
    with pytest.raises(ArtifactError, match="not a readable archive"):
        Offer(bundle, tmp_path / "x.tar")


def test_an_edit_that_is_taken_back_trains_and_measures_nothing(tmp_path, finished):
    project = finished.copy(tmp_path)
    before = project.measured()
    amount = "src/assay/augment/_amount.py"
    project.edit(amount, "0.05", "0.06")
    project.run(VERDICTS)
    assert project.measured() != before
    project.edit(amount, "0.06", "0.05")
    assert project.planned("train", VERDICTS)
    project.run(VERDICTS)
    assert project.measured() == before
    logs = {
        kind: [path.read_text() for path in (tmp_path / "results/ci/logs").glob(f"{kind}/**/*.log")]
        for kind in ("train", "measure")
    }
    assert any("trained with this code before; brought back" in log for log in logs["train"])
    assert any("taken over, since nothing that they rest on changed: adam, tuned" in log for log in logs["measure"])
    said = project.command_in_full([sys.executable, "-m", "assay.cli", "clear", "--scale", "ci"]).stdout
    assert "1 networks and 1 measured blocks of earlier code" in said
    assert project.measured() == before
    assert not project.planned("train", VERDICTS)
