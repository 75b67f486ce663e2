"""Pulling and pushing a versioned folder: what DVC itself makes of it, stores that lie, edits, kills, two at once."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from assay.artifacts.folders import pull, push, track
from assay.errors import ArtifactError
from assay.storage.places import PROJECT

FILES = {"one.bin": b"first " * 50, "deep/two.bin": b"second" * 50, "three.txt": b"third\n"}
DVC = [sys.executable, "-m", "dvc"]
# A clone that shares DVC's site cache with the one that pushed would not notice what the store lacks.
PULL = "import sys, pathlib; from assay.artifacts.folders import pull; print(pull('data', root=pathlib.Path(sys.argv[1])))"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def write(folder: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def published(root: Path, files: dict[str, bytes]) -> Path:
    """A project whose store holds data/."""
    (root / ".dvc").mkdir(parents=True)
    shutil.copy(PROJECT / ".dvc/config", root / ".dvc")
    write(root / "data", files)
    track("data", root)
    push("data", root=root)
    return root


def clone(source: Path, root: Path) -> Path:
    """What git would bring: everything but the folder itself and the cache."""
    shutil.copytree(source, root, ignore=shutil.ignore_patterns("data", "cache", "tmp"), dirs_exist_ok=True)
    return root


@pytest.fixture(scope="module")
def origin(tmp_path_factory) -> Path:
    return published(tmp_path_factory.mktemp("origin"), FILES)


@pytest.fixture
def project(origin, tmp_path) -> Path:
    return clone(origin, tmp_path / "project")


def stored(project: Path, name: str) -> Path:
    """The object in the store that holds a file of data/, or the listing ("")."""
    text = (project / "data.dvc").read_text()
    oid = hashlib.md5(FILES[name]).hexdigest() if name else text.split("md5: ")[1].split()[0]
    return project / "dvcstore/files/md5" / oid[:2] / oid[2:]


def refused(project: Path, **options) -> str:
    """The one line a pull is refused with."""
    with pytest.raises(ArtifactError) as caught:
        pull("data", root=project, **options)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(("data: ", ".dvc/config"))
    return str(caught.value)


def repoint(project: Path, listing: bytes) -> None:
    """A store whose listing and pointer were both rewritten, so that only the manifest can tell."""
    oid = hashlib.md5(listing).hexdigest() + ".dir"
    old = (project / "data.dvc").read_text().split("md5: ")[1].split()[0]
    (project / "data.dvc").write_text((project / "data.dvc").read_text().replace(old, oid))
    write(project / "dvcstore/files/md5", {f"{oid[:2]}/{oid[2:]}": listing})


def overwrite(path: Path, content: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(content)


def test_a_pull_brings_what_was_tracked_and_then_has_nothing_to_do(project):
    assert pull("data", root=project)
    assert contents(project / "data") == FILES
    assert not pull("data", root=project)


def test_a_pull_of_some_files_brings_these_alone_though_others_are_gone_from_the_store(project):
    stored(project, "deep/two.bin").unlink()
    assert pull("data", root=project, only=["one.bin", "three.txt"])
    assert contents(project / "data") == {name: FILES[name] for name in ("one.bin", "three.txt")}
    assert not pull("data", root=project, only=["three.txt"])
    assert "is missing" in refused(project)
    assert not (project / "data/deep").exists()


def test_dvc_itself_agrees_with_what_was_pulled_and_pulls_what_was_pushed(project, tmp_path):
    pull("data", root=project)
    other = clone(project, tmp_path / "other")
    for folder in (project, other):
        subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    environment = {**os.environ, "DVC_SITE_CACHE_DIR": str(tmp_path / "site")}
    assert subprocess.run([*DVC, "status", "-q"], cwd=project, env=environment).returncode == 0
    assert subprocess.run([*DVC, "pull", "-q"], cwd=other, env=environment).returncode == 0
    assert contents(other / "data") == FILES


def test_nothing_to_do_is_found_without_dvc(project):
    pull("data", root=project)
    code = f"{PULL}; assert 'dvc' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code, str(project)], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "False\n"), done.stderr


@pytest.mark.parametrize("damage", ["altered", "truncated", "empty", "missing"])
@pytest.mark.parametrize("name", ["one.bin", ""])
def test_a_harmed_object_is_named_nothing_is_written_and_it_is_fetched_once_whole(project, name, damage):
    path = stored(project, name)
    whole = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        overwrite(path, {"altered": whole[:-1] + b"?", "truncated": whole[:-7], "empty": b""}[damage])
    said = refused(project)
    oid = path.parent.name + path.name
    assert f"object {oid} is {'missing' if damage == 'missing' else 'corrupted'}" in said
    assert f"on remote 'store': {path}" in said
    assert "git checkout" in said
    assert not (project / "data").exists()
    path.unlink(missing_ok=True)
    path.write_bytes(whole)
    assert pull("data", root=project)
    assert contents(project / "data") == FILES


@pytest.mark.parametrize("relpath", ["../../../escaped", "/tmp/escaped", "deep/../../escaped", "..\\escaped", "."])
def test_a_listing_that_leads_out_of_the_folder_writes_nothing(project, relpath):
    names = [*list(FILES)[1:], relpath]
    repoint(project, json.dumps([{"md5": hashlib.md5(FILES["one.bin"]).hexdigest(), "relpath": name} for name in names]).encode())
    before = contents(project.parent)
    assert repr(relpath) in refused(project)
    after = contents(project.parent)
    assert {path for path in after.keys() - before.keys() if "/.dvc/" not in path} == set()
    assert not Path("/tmp/escaped").exists()


@pytest.mark.parametrize("oid", ["../../../../escaped", "0" * 31, 7, None])
def test_a_listing_with_an_object_that_is_none_is_refused(project, oid):
    repoint(project, json.dumps([{"md5": oid, "relpath": "one.bin"}]).encode())
    assert "is no listing of a folder" in refused(project)


@pytest.mark.parametrize("listing", [b"[", b"7", b"null", b'{"one.bin": 1}', b"[1]", b'[{"relpath": "one.bin"}]', b"\xff"])
def test_a_listing_that_is_none_is_refused(project, listing):
    repoint(project, listing)
    assert "is no listing of a folder" in refused(project)


def test_a_listing_of_other_files_than_the_manifests_is_refused(project):
    repoint(project, json.dumps([{"md5": hashlib.md5(FILES["one.bin"]).hexdigest(), "relpath": "one.bin"}]).encode())
    assert "data.dvc and data.sha256 disagree on 'deep/two.bin'; take both from one commit" in refused(project)


def test_objects_with_the_right_name_and_another_sha256_never_reach_the_folder(project):
    entries = {name: hashlib.md5(content).hexdigest() for name, content in FILES.items()}
    entries["one.bin"] = entries["deep/two.bin"]
    repoint(project, json.dumps([{"md5": oid, "relpath": name} for name, oid in entries.items()]).encode())
    assert "one.bin: the pointer leads to other bytes than the manifest" in refused(project)
    assert not (project / "data/one.bin").exists()


@pytest.mark.parametrize("link", ["data", "data/deep", "data/one.bin"])
def test_nothing_is_written_through_a_symbolic_link(project, tmp_path, link):
    (tmp_path / "elsewhere").mkdir()
    (project / link).parent.mkdir(exist_ok=True)
    (project / link).symlink_to(tmp_path / "elsewhere")
    assert f"{link} is a symbolic link to {tmp_path / 'elsewhere'}" in refused(project, force=True)
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("path: data", "path: ../data", "points to '../data' (allowed: data)"),
        ("path: data", "path: data\n  cmd: touch evil", "unknown key 'outs.0.cmd'"),
        ("outs:", "wdir: /\nouts:", "unknown key 'wdir'"),
        (".dir", "", "key 'outs.0.md5': string should match pattern"),
    ],
)
def test_a_pointer_that_says_more_or_other_things_is_refused(project, old, new, said):
    text = (project / "data.dvc").read_text()
    (project / "data.dvc").write_text(text.replace(old, new))
    assert said in refused(project)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("    bearer_token_command = touch evil", "remote: unknown key 'bearer_token_command'"),
        ("    password = secret", "remote: unknown key 'password'"),
        ("[hydra]\n    plugins_path = evil", "hydra: unknown key 'plugins_path'"),
        ("[cache]\n    dir = /", "cache: unknown key 'dir'"),
    ],
)
def test_configuration_that_could_run_or_reveal_something_is_refused(project, lines, said):
    path = project / ".dvc/config"
    path.write_text(path.read_text().replace("../dvcstore", "https://127.0.0.1:9/x") + lines + "\n")
    message = refused(project)
    assert message.startswith(f".dvc/config: {said}")
    assert ("(put it into .dvc/config.local)" in message) == ("password" in said or "cache" in said)
    assert "secret" not in message
    assert not (project / "evil").exists()


def test_an_unknown_remote_is_named(project):
    assert "unknown remote 'stor'; did you mean 'store'?" in refused(project, remote="stor")


@pytest.mark.parametrize("content", [b"my own work", FILES["one.bin"] + b" and more"])
def test_an_edited_file_is_kept_until_forced(project, content):
    pull("data", root=project)
    (project / "data/one.bin").write_bytes(content)
    (project / "data/three.txt").unlink()
    (project / "data/notes.txt").write_text("mine")
    said = refused(project)
    assert "data/one.bin: edited here, so nothing was changed" in said
    assert "assay pull data --force" in said
    assert contents(project / "data") == {k: v for k, v in FILES.items() if k != "three.txt"} | {
        "one.bin": content,
        "notes.txt": b"mine",
    }
    pull("data", root=project, force=True)
    assert contents(project / "data") == FILES | {"notes.txt": b"mine"}


@pytest.mark.parametrize("content", [b"", FILES["one.bin"][:11], None, FILES["three.txt"]])
def test_a_file_cut_short_missing_or_kept_in_the_cache_is_restored(project, content):
    pull("data", root=project)
    (project / "data/one.bin").unlink()
    if content is not None:
        (project / "data/one.bin").write_bytes(content)
    assert pull("data", root=project)
    assert contents(project / "data") == FILES


def test_a_harmed_object_in_the_cache_is_fetched_again_by_the_same_pull(project):
    pull("data", root=project)
    for path in (project / ".dvc/cache").rglob("*"):
        if path.is_file():
            overwrite(path, path.read_bytes()[:3] + b"rot")
            path.chmod(0o444)  # DVC trusts what is read-only
    shutil.rmtree(project / "data")
    assert pull("data", root=project)
    assert contents(project / "data") == FILES


def test_a_newer_version_replaces_the_older_one_without_force(project, tmp_path):
    pull("data", root=project)
    newer = clone(project, tmp_path / "newer")
    write(newer / "data", FILES | {"one.bin": b"newer"})
    track("data", newer)
    assert push("data", root=newer) == 2  # the object and the listing
    clone(newer, project)
    assert pull("data", root=project)
    assert contents(project / "data") == FILES | {"one.bin": b"newer"}


def test_pushing_again_mends_a_store_that_lost_something(project):
    pull("data", root=project)
    stored(project, "one.bin").unlink()
    overwrite(stored(project, ""), b"")
    assert push("data", root=project) == 2
    assert push("data", root=project) == 0
    assert contents(project / "dvcstore") == contents(project / ".dvc/cache")


def test_pushing_without_the_objects_says_how_to_get_them(project):
    with pytest.raises(ArtifactError, match=r"^data: object \w{32}.dir is not in the cache of this clone; run: assay pull data$"):
        push("data", root=project)
    pull("data", root=project)
    shutil.rmtree(project / ".dvc/cache")
    with pytest.raises(ArtifactError, match=r"run: dvc add data$"):
        push("data", root=project)


@pytest.fixture(scope="module")
def many(tmp_path_factory) -> Path:
    return published(tmp_path_factory.mktemp("many"), {f"{n % 7}/{n}.bin": b"%d" % n * 20000 for n in range(300)})


def start(project: Path) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", PULL, str(project)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("where", [".dvc/cache/files/md5", "data"])
def test_after_kill_9_in_the_middle_the_next_pull_finishes(many, tmp_path, where):
    project = clone(many, tmp_path / "project")
    run = start(project)
    while run.poll() is None and len(list((project / where).glob("*/*"))) < 20:
        time.sleep(0.001)
    run.send_signal(signal.SIGKILL)
    run.wait()
    assert contents(project / "data") != contents(many / "data")
    assert pull("data", root=project)
    assert contents(project / "data") == contents(many / "data")


def test_two_pulls_at_once_both_succeed(many, tmp_path):
    project = clone(many, tmp_path / "project")
    runs = [start(project) for _ in range(2)]
    for run in runs:
        _, errors = run.communicate(timeout=600)
        assert run.returncode == 0, errors
    assert contents(project / "data") == contents(many / "data")
