"""Remotes over SSH and S3, opened with care.

DVC does not look at a server's host key, waits half an hour for a silent server, and says of a mistyped path that objects are
missing. So its connections are opened here with host keys compared and silence bounded, and are tried before anything is sent.
"""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import asyncssh
import s3fs
from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError, HTTPClientError, NoCredentialsError
from dvc.data_cloud import Remote
from dvc.fs import known_implementations
from dvc.repo import Repo
from dvc_data.hashfile.db import HashFileDB
from dvc_s3 import S3FileSystem
from dvc_ssh import SSHFileSystem
from fsspec.asyn import sync_wrapper

from assay.errors import ArtifactError

SILENCE = int(os.environ.get("ASSAY_REMOTE_TIMEOUT", "60"))
SLOWEST = 100_000  # bytes a second that an upload must make on average
KNOWN_HOSTS = (Path("~/.ssh/known_hosts"), Path("/etc/ssh/ssh_known_hosts"))


class CheckedSSH(SSHFileSystem):
    """DVC's SSH files over a connection whose host key is in known_hosts, given up after `SILENCE` seconds without an answer."""

    def _prepare_credentials(self, **config):
        return {
            **super()._prepare_credentials(**config),
            "known_hosts": _known_hosts(),
            "connect_timeout": SILENCE,
            "login_timeout": SILENCE,
            "keepalive_interval": SILENCE / 3,
            "keepalive_count_max": 2,
        }


class CheckedS3(S3FileSystem):
    """DVC's S3 files over requests that are given up after `SILENCE` seconds without an answer."""

    def _prepare_credentials(self, **config):
        login = super()._prepare_credentials(**{"connect_timeout": SILENCE, "read_timeout": SILENCE, **config})
        # s3fs tries five times by itself.
        login["config_kwargs"]["retries"] = {"total_max_attempts": 1}
        return login

    @cached_property
    def fs(self) -> "ImpatientS3":
        return ImpatientS3(**self.fs_args)


class ImpatientS3(s3fs.S3FileSystem):
    """S3 requests with an end. The library's own timeouts begin after a body is sent, and anew for each of its five tries."""

    cachable = False
    gave_up = False

    async def _call_s3(self, method, *arguments, **keywords):
        body = keywords.get("Body")
        allowed = SILENCE + (len(body) if isinstance(body, bytes) else 0) / SLOWEST
        # What is asked of a server already found silent does not wait for it once more.
        try:
            return await asyncio.wait_for(super()._call_s3(method, *arguments, **keywords), 0 if self.gave_up else allowed)
        except TimeoutError:
            self.gave_up = True
            raise

    call_s3 = sync_wrapper(_call_s3)


known_implementations["ssh"]["class"] = f"{__name__}.CheckedSSH"
known_implementations["s3"]["class"] = f"{__name__}.CheckedS3"


@contextmanager
def reached(repo: Repo, name: str) -> Iterator[HashFileDB]:
    """The objects of a remote that has answered, proved who it is, let us in and shown its folder or bucket.

    ArtifactError says which of these failed, or what failed later, and what to do.
    """
    remote = repo.cloud.get_remote(name)
    try:
        if remote.fs.protocol == "ssh":
            remote.fs.fs.info(remote.path)
        elif remote.fs.protocol == "s3":
            remote.fs.fs.call_s3("head_bucket", Bucket=_bucket(remote))
        yield remote.odb
    except (OSError, asyncssh.Error, BotoCoreError, ClientError) as error:
        address = remote.fs.unstrip_protocol(remote.path)
        raise ArtifactError(f"remote '{name}' ({address}): {_reason(remote, error)}") from None


def _reason(remote: Remote, error: Exception) -> str:
    ssh = remote.fs.protocol == "ssh"
    match error:
        case asyncssh.HostKeyNotVerifiable() | asyncssh.KeyExchangeFailed():
            return _about_host_key(remote)
        case NoCredentialsError():
            return f"no credentials; put access_key_id and secret_access_key of '{remote.name}' into .dvc/config.local"
        case PermissionError():
            keys = "user and keyfile" if ssh else "access_key_id and secret_access_key"
            return f"refuses these credentials; check {keys} of '{remote.name}' in .dvc/config.local"
        case FileNotFoundError(filename=str(path)):
            return f"no key file {path}; correct keyfile of '{remote.name}' in .dvc/config.local"
        case FileNotFoundError():
            what = f"folder {remote.path}" if ssh else f"bucket {_bucket(remote)}"
            return f"has no {what}; make it there, or correct url of '{remote.name}' in .dvc/config"
        case TimeoutError() | HTTPClientError() | asyncssh.ConnectionLost():
            return f"no answer within {SILENCE} s, given up; try again, or wait longer with ASSAY_REMOTE_TIMEOUT=<seconds>"
        case OSError() | EndpointConnectionError():
            return f"cannot be reached ({_line(error)}); check that the server runs, its address and its port"
        case _:
            return _line(error)


def _about_host_key(remote: Remote) -> str:
    host, port = remote.fs.fs_args["host"], remote.fs.fs_args.get("port", 22)
    known, *_ = asyncssh.match_known_hosts(_known_hosts(), host, "", port)
    shown = f"`ssh-keyscan -p {port} {host}`"
    if known:
        return f"its host key is NOT the one in known_hosts, so nothing was sent; ask its administrator before you trust {shown}"
    return f"its host key is not in known_hosts; compare {shown} with what its administrator says, then add that line there"


def _known_hosts() -> list[str]:
    return [str(path.expanduser()) for path in KNOWN_HOSTS if path.expanduser().is_file()]


def _bucket(remote: Remote) -> str:
    return remote.path.partition("/")[0]


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
