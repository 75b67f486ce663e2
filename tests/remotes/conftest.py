"""Real servers, and projects that push to them and pull from them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from clones import BUCKET, FILES, Clone, Remote, S3Remote, SSHRemote, know
from servers import CEPH_PROGRAMS, SSH_PROGRAMS, S3Server, Server, SSHServer
from sshfs import SSHFileSystem


@pytest.fixture(scope="session")
def ssh_server(require_programs, tmp_path_factory) -> Iterator[SSHServer]:
    require_programs(*SSH_PROGRAMS)
    server = SSHServer(tmp_path_factory.mktemp("sshd"))
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def s3_server(require_programs, tmp_path_factory) -> Iterator[S3Server]:
    require_programs(*CEPH_PROGRAMS)
    server = S3Server(tmp_path_factory.mktemp("ceph"))
    try:
        server.start()
        server.client.create_bucket(Bucket=BUCKET)
        yield server
    finally:
        server.stop()


@pytest.fixture(params=["ssh", "s3"])
def remote(request, tmp_path, monkeypatch) -> Remote:
    """An empty place on either server, whose host key this user knows."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    server: Server = request.getfixturevalue(f"{request.param}_server")
    # A connection that one test broke is not for the next one.
    SSHFileSystem.clear_instance_cache()
    if request.param == "s3":
        return S3Remote(server, tmp_path.name, server.port)
    know(tmp_path, server.known_host())
    (tmp_path / "store").mkdir()
    return SSHRemote(server, tmp_path / "store", server.port)


@pytest.fixture
def author(tmp_path: Path, remote: Remote) -> Clone:
    """A clone that has the data."""
    clone = Clone(tmp_path / "author", remote)
    clone.track(FILES)
    return clone


@pytest.fixture
def reader(tmp_path: Path, remote: Remote, author: Clone) -> Clone:
    """A clone that has only what is committed."""
    return author.commit_to(Clone(tmp_path / "reader", remote))
