"""SSH and S3 remotes on real servers: bytes travel whole, and what goes wrong is said in one line."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest
from clones import CORE, FILES, Clone, know
from relay import Relay

from assay.artifacts import remotes
from assay.errors import ArtifactError
from assay.storage.places import PROJECT


def error_of(action) -> str:
    with pytest.raises(ArtifactError) as caught:
        action()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def address(remote) -> str:
    return f"ssh://127.0.0.1:{remote.port}{remote.folder}" if remote.kind == "ssh" else f"s3://lab/{remote.prefix}"


def test_pushed_from_one_clone_and_pulled_in_another(author, reader):
    assert author.push() == len(FILES) + 1
    assert author.push() == 0
    assert reader.pull()
    assert reader.files() == FILES
    assert not reader.pull()


@pytest.mark.parametrize("what", ["file", "listing"])
@pytest.mark.parametrize("damage", ["altered", "cut short", "empty", "missing"])
def test_a_damaged_object_is_named_and_fetched_again_once_it_is_repaired(author, reader, remote, what, damage):
    author.push()
    oid = author.listing if what == "listing" else author.object("one.bin")
    whole = remote.read(oid)
    if damage == "missing":
        remote.delete(oid)
    else:
        remote.write(oid, {"altered": whole[:-3] + b"xyz", "cut short": whole[:-3], "empty": b""}[damage])
    said = error_of(reader.pull)
    state = "is missing" if damage == "missing" else "is corrupted (its bytes are not those of its name)"
    assert said.startswith(f"data: object {oid} {state} on remote 'lab': {address(remote)}/files/md5/{oid[:2]}/{oid[2:]}; ")
    assert said.endswith("push it from a clone that has it")
    assert not (reader.root / "data").exists()
    remote.write(oid, whole)
    assert reader.pull()
    assert reader.files() == FILES


@pytest.mark.parametrize("damage", ["cut short", "missing"])
def test_push_sends_again_what_the_remote_lost(author, reader, remote, damage):
    author.push()
    oid = author.object("deep/two.bin")
    remote.delete(oid) if damage == "missing" else remote.write(oid, b"cut")
    assert author.push() == 1
    reader.pull()
    assert reader.files() == FILES


def test_an_unknown_remote_is_an_error_with_the_names_there_are(author):
    from assay.artifacts.folders import push

    said = error_of(lambda: push("data", "labb", root=author.root))
    assert said == "data: .dvc/config: unknown remote 'labb'; did you mean 'lab'? (allowed: lab)"


def both_ways(author, reader, remote, text):
    """Push and pull fail alike, say this in one line, and nothing is written."""
    expected = f"data: remote 'lab' ({address(remote)}): {text}"
    for clone, action in ((author, author.push), (reader, reader.pull)):
        clone.use(remote)
        assert error_of(action) == expected
    assert not (reader.root / "data").exists()


def test_wrong_credentials(author, reader, remote):
    if remote.kind == "ssh":
        both_ways(
            author,
            reader,
            replace(remote, key="other_key"),
            "refuses these credentials; check user and keyfile of 'lab' in .dvc/config.local",
        )
        gone = remote.server.folder / "no_key"
        both_ways(
            author, reader, replace(remote, key="no_key"), f"no key file {gone}; correct keyfile of 'lab' in .dvc/config.local"
        )
        return
    expected = f"data: remote 'lab' ({address(remote)}): refuses these credentials; check access_key_id and secret_access_key of "
    for wrong in (remote.server.access_key, remote.server.secret_key):
        for clone, action in ((author, author.push), (reader, reader.pull)):
            local = clone.root / ".dvc/config.local"
            local.write_text(remote.personal.replace(wrong, "WRONGWRONGWRONGWRONG"))
            said = error_of(action)
            assert said == expected + "'lab' in .dvc/config.local"
            assert remote.server.secret_key not in said


@pytest.mark.parametrize("remote", ["s3"], indirect=True)
def test_no_credentials(author, remote, monkeypatch):
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    (author.root / ".dvc/config.local").unlink()
    fix = "no credentials; put access_key_id and secret_access_key of 'lab' into .dvc/config.local"
    assert error_of(author.push) == f"data: remote 'lab' ({address(remote)}): {fix}"


@pytest.mark.parametrize("remote", ["s3"], indirect=True)
def test_credentials_from_the_environment(author, reader, remote, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", remote.server.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", remote.server.secret_key)
    for clone in (author, reader):
        (clone.root / ".dvc/config.local").unlink()
    author.push()
    reader.pull()
    assert reader.files() == FILES


def test_a_folder_or_bucket_that_is_not_there(author, reader, remote):
    if remote.kind == "ssh":
        gone = replace(remote, folder=remote.folder.with_name("typo"))
        both_ways(author, reader, gone, f"has no folder {gone.folder}; make it there, or correct url of 'lab' in .dvc/config")
        return
    for clone, action in ((author, author.push), (reader, reader.pull)):
        config = clone.root / ".dvc/config"
        config.write_text(config.read_text().replace("s3://lab/", "s3://typo/"))
        fix = "has no bucket typo; make it there, or correct url of 'lab' in .dvc/config"
        assert error_of(action) == f"data: remote 'lab' (s3://typo/{remote.prefix}): {fix}"


def test_a_server_that_is_down(author, reader, remote):
    remote.server.kill()
    try:
        for action in (author.push, reader.pull):
            said = error_of(action)
            assert said.startswith(f"data: remote 'lab' ({address(remote)}): cannot be reached (")
            assert said.endswith("); check that the server runs, its address and its port")
    finally:
        remote.restart()
    author.push()
    reader.pull()
    assert reader.files() == FILES


def test_a_server_that_is_silent_is_given_up(author, reader, remote, monkeypatch):
    monkeypatch.setattr(remotes, "SILENCE", 1)
    remote.server.stall()
    try:
        both_ways(
            author,
            reader,
            remote,
            "no answer within 1 s, given up; try again, or wait longer with ASSAY_REMOTE_TIMEOUT=<seconds>",
        )
    finally:
        remote.server.go_on()


MANY = {f"{number}.bin": bytes([number]) * 200_000 for number in range(12)}


@pytest.mark.parametrize("what_happens", ["kill", "stall"])
def test_a_server_that_dies_in_the_middle_of_a_push_leaves_nothing_half_and_pushing_again_completes(
    author, reader, remote, what_happens, tmp_path, monkeypatch
):
    author.track(MANY)
    author.commit_to(reader)
    happens = getattr(remote.server, what_happens)
    # One that dies closes its connections, so only silence is waited for; a slow answer before it must not count as silence.
    with monkeypatch.context() as patch, Relay(remote.port, after=600_000, then=happens) as relay:
        if what_happens == "stall":
            patch.setattr(remotes, "SILENCE", 10)
        if remote.kind == "ssh":
            know(tmp_path, remote.server.known_host(), remote.server.known_host().replace(str(remote.port), str(relay.port)))
        author.use(remote.at(relay.port))
        said = error_of(author.push)
        assert relay.happened
        assert "remote 'lab'" in said
    remote.restart() if what_happens == "kill" else remote.server.go_on()
    author.use(remote)
    assert re.match("data: object .* is missing on remote 'lab'", error_of(reader.pull))
    assert author.push() > 0
    reader.pull()
    assert reader.files() == {**FILES, **MANY}


@pytest.mark.parametrize("remote", ["ssh"], indirect=True)
@pytest.mark.parametrize("known", ["nothing", "another key"])
def test_a_host_key_that_is_not_the_known_one_is_refused_before_anything_is_sent(author, reader, remote, known, tmp_path):
    know(tmp_path, *([remote.server.known_host("other_key")] if known == "another key" else []))
    shown = f"`ssh-keyscan -p {remote.port} 127.0.0.1`"
    text = {
        "nothing": f"its host key is not in known_hosts; compare {shown} with what its administrator says, then add that line "
        "there",
        "another key": "its host key is NOT the one in known_hosts, so nothing was sent; ask its administrator before you trust "
        + shown,
    }[known]
    both_ways(author, reader, remote, text)
    assert not list(remote.folder.iterdir())


@pytest.mark.parametrize("remote", ["ssh"], indirect=True)
def test_what_the_error_tells_to_add_to_known_hosts_is_what_lets_one_in(author, remote, tmp_path):
    shown = subprocess.run(["ssh-keyscan", "-p", str(remote.port), "127.0.0.1"], capture_output=True, text=True, check=True)
    know(tmp_path, shown.stdout)
    assert author.push() > 0


def test_the_documented_commands(author, reader, remote):
    for clone in (author, reader):
        shutil.copytree(PROJECT / "src/assay", clone.root / "src/assay", ignore=shutil.ignore_patterns("__pycache__"))
        (clone.root / ".dvc/config").write_text(CORE)
        run(clone, "dvc", "remote", "add", "lab", address(remote))
        if remote.kind == "s3":
            run(clone, "dvc", "remote", "modify", "lab", "endpointurl", remote.server.url)
    run(author, "assay.cli", "push", "data", "--remote", "lab")
    run(reader, "assay.cli", "pull", "data", "--remote", "lab")
    assert reader.files() == FILES


def run(clone: Clone, module: str, *arguments: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(clone.root / "src")}
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, cwd=clone.root, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_secrets_are_kept_where_git_does_not_look():
    ignored = subprocess.run(["git", "check-ignore", "-q", ".dvc/config.local"], cwd=PROJECT)
    assert ignored.returncode == 0
