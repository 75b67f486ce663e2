"""Projects that push to a remote and pull from it."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

from servers import S3Server, SSHServer

from assay.artifacts import folders

BUCKET = "lab"
CORE = "[core]\n    analytics = false\n    check_update = false\n    no_scm = true\n"


@dataclass(frozen=True)
class SSHRemote:
    """A folder on the SSH server, as `store` in a project's configuration."""

    server: SSHServer
    folder: Path
    port: int
    key: str = "user_key"
    kind = "ssh"

    @property
    def config(self) -> str:
        return f"['remote \"lab\"']\n    url = ssh://127.0.0.1:{self.port}{self.folder}\n"

    @property
    def personal(self) -> str:
        return f"['remote \"lab\"']\n    keyfile = {self.server.folder / self.key}\n"

    def at(self, port: int) -> "SSHRemote":
        return replace(self, port=port)

    def path(self, oid: str) -> Path:
        return self.folder / "files/md5" / oid[:2] / oid[2:]

    def read(self, oid: str) -> bytes:
        return self.path(oid).read_bytes()

    def write(self, oid: str, content: bytes) -> None:
        self.path(oid).unlink(missing_ok=True)
        self.path(oid).write_bytes(content)

    def delete(self, oid: str) -> None:
        self.path(oid).unlink()

    def restart(self) -> None:
        self.server.start()


@dataclass(frozen=True)
class S3Remote:
    """A prefix in the bucket on the S3 server, as `store` in a project's configuration."""

    server: S3Server
    prefix: str
    port: int
    kind = "s3"

    @property
    def config(self) -> str:
        return f"['remote \"lab\"']\n    url = s3://{BUCKET}/{self.prefix}\n    endpointurl = http://127.0.0.1:{self.port}\n"

    @property
    def personal(self) -> str:
        keys = (("access_key_id", self.server.access_key), ("secret_access_key", self.server.secret_key))
        return "['remote \"lab\"']\n" + "".join(f"    {name} = {value}\n" for name, value in keys)

    def at(self, port: int) -> "S3Remote":
        return replace(self, port=port)

    def key(self, oid: str) -> dict[str, str]:
        return {"Bucket": BUCKET, "Key": f"{self.prefix}/files/md5/{oid[:2]}/{oid[2:]}"}

    def read(self, oid: str) -> bytes:
        return self.server.client.get_object(**self.key(oid))["Body"].read()

    def write(self, oid: str, content: bytes) -> None:
        self.server.client.put_object(**self.key(oid), Body=content)

    def delete(self, oid: str) -> None:
        self.server.client.delete_object(**self.key(oid))

    def restart(self) -> None:
        self.server.start_gateway()


Remote = SSHRemote | S3Remote


def know(tmp_path: Path, *lines: str) -> None:
    """Write the user's known_hosts."""
    (tmp_path / "home/.ssh").mkdir(parents=True, exist_ok=True)
    (tmp_path / "home/.ssh/known_hosts").write_text("".join(lines))


class Clone:
    """What a clone of a project with a versioned folder `data` has of it."""

    def __init__(self, root: Path, remote: Remote):
        self.root = root
        (root / ".dvc").mkdir(parents=True)
        self.use(remote)

    def use(self, remote: Remote) -> None:
        (self.root / ".dvc/config").write_text(CORE + remote.config)
        (self.root / ".dvc/config.local").write_text(remote.personal)

    def track(self, files: dict[str, bytes]) -> None:
        for name, content in files.items():
            path = self.root / "data" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        folders.track("data", self.root)

    def commit_to(self, other: "Clone") -> "Clone":
        """Bring pointer and manifest, which are committed, to another clone."""
        for name in ("data.dvc", "data.sha256"):
            (other.root / name).write_bytes((self.root / name).read_bytes())
        return other

    def push(self) -> int:
        return folders.push("data", "lab", root=self.root)

    def pull(self) -> bool:
        return folders.pull("data", "lab", root=self.root)

    def files(self) -> dict[str, bytes]:
        data = self.root / "data"
        return {str(path.relative_to(data)): path.read_bytes() for path in data.rglob("*") if path.is_file()}

    @property
    def listing(self) -> str:
        """The object that lists the folder."""
        return (self.root / "data.dvc").read_text().split("md5: ")[1].split()[0]

    def object(self, name: str) -> str:
        """The object of one file."""
        path = self.root / ".dvc/cache/files/md5" / self.listing[:2] / self.listing[2:]
        return next(entry["md5"] for entry in json.loads(path.read_text()) if entry["relpath"] == name)


FILES = {"one.bin": b"one" * 1000, "deep/two.bin": b"two" * 2000, "empty.bin": b""}
