"""Versioned folders: pull and push what `<folder>.dvc` points to, trusting nothing that the commit does not vouch for.

DVC keeps objects by MD5 in a local cache and in remotes. By default it verifies neither objects nor the listing of a folder, and
a rewritten listing makes it write anywhere. So here DVC moves objects between remote and cache, every object is compared with
its name, the listing with the pointer and with the committed manifest, and a file reaches the folder only with the SHA-256
listed there.
"""

import hashlib
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from assay.errors import ArtifactError, StudyError, unknown
from assay.language.inputs import parse, read_yaml
from assay.storage.manifest import differing, inside, matches, read_manifest, write_manifest
from assay.storage.places import WORK, require_checkout

if TYPE_CHECKING:
    from dvc.repo import Repo

ATTEMPTS = 2  # a pull that was killed may leave half an object, which the second attempt replaces
# What the committed configuration may say. DVC knows further keys, some of which run commands (bearer_token_command).
ALLOWED = {
    "core": {"analytics", "autostage", "check_update", "no_scm", "remote"},
    "remote": {"endpointurl", "jobs", "port", "profile", "region", "timeout", "url", "use_ssl", "user", "verify"},
}
# What only .dvc/config.local may say, which git ignores: secrets, and where this machine keeps things.
PERSONAL = {
    "cache": {"dir", "shared", "type"},
    "core": ALLOWED["core"] | {"site_cache_dir"},
    "remote": ALLOWED["remote"]
    | {"access_key_id", "allow_agent", "ask_password", "ask_passphrase", "configpath", "credentialpath", "keyfile"}
    | {"passphrase", "password", "secret_access_key", "session_token", "ssl_verify"},
}


class _Out(BaseModel):
    model_config = ConfigDict(extra="forbid")

    md5: str = Field(pattern=r"^[0-9a-f]{32}\.dir$")
    size: int
    nfiles: int
    hash: Literal["md5"]
    path: str


class _Pointer(BaseModel):
    model_config = ConfigDict(extra="forbid")

    outs: list[_Out] = Field(min_length=1, max_length=1)


class _Entry(BaseModel):
    md5: str = Field(pattern=r"^[0-9a-f]{32}$")
    relpath: str


@dataclass(frozen=True)
class _Store:
    """A remote and the local cache, both with objects by MD5."""

    remote: str
    odb: Any
    cache: Any

    def place(self, oid: str) -> Path:
        """Where the cache keeps an object."""
        return Path(self.cache.oid_to_path(oid))

    def cached(self, oid: str) -> bool:
        """Whether the cache holds the object unharmed; a harmed one is removed."""
        path = self.place(oid)
        if path.exists() and _md5(path) != oid.removesuffix(".dir"):
            path.unlink()
        return path.exists()

    def fetch(self, oids: list[str]) -> None:
        """Bring what the cache lacks; ArtifactError names the first object that the remote does not have unharmed."""
        failures: dict[str, BaseException] = {}
        missing = list(oids)
        for _ in range(ATTEMPTS):
            missing = [oid for oid in dict.fromkeys(missing) if not self.cached(oid)]
            if missing:
                sources = [self.odb.oid_to_path(oid) for oid in missing]
                self.cache.add(sources, self.odb.fs, missing, check_exists=False, on_error=failures.__setitem__)
        for oid in missing:
            if not self.cached(oid):
                raise ArtifactError(self._what_is_wrong(oid, failures.get(oid)))

    def _what_is_wrong(self, oid: str, failure: BaseException | None) -> str:
        where = self.odb.fs.unstrip_protocol(self.odb.oid_to_path(oid)).removeprefix("file://")
        again = "restore it (git checkout dvcstore)" if self.odb.fs.protocol == "local" else "push it from a clone that has it"
        if failure is None:
            what, fix = "is corrupted (its bytes are not those of its name)", f"remove it there and {again}"
        elif isinstance(failure, FileNotFoundError):
            what, fix = "is missing", again
        else:
            what, fix = f"cannot be read: {_line(failure)}", "pull again"
        return f"object {oid} {what} on remote '{self.remote}': {where}; {fix}"

    def lacks(self, oid: str) -> bool:
        """Whether the remote has no such object, or one of another size."""
        path = self.odb.oid_to_path(oid)
        return not self.odb.fs.exists(path) or self.odb.fs.size(path) != self.place(oid).stat().st_size


def pull(target: str, remote: str | None = None, *, force: bool = False, root: Path = WORK) -> bool:
    """Bring the folder `target` to the state its pointer and manifest name; False if it was there already.

    remote: a name in .dvc/config, the default one if not given. force: replace files that were edited. Another pull at work in
    this project is waited for. Raises ArtifactError: an object missing or corrupted, an edited file, a pointer, listing or
    configuration that cannot be trusted.
    """
    if not differing(target, root):
        return False
    with _opened(root) as repo, _lasting(target):
        with _store(repo, remote) as store:
            objects = _fetched(target, store, root)
        _refuse_links(target, objects, root)
        wrong = differing(target, root)
        edited = [name for name in wrong if not force and _edited(root / target / name, objects[name], store)]
        if edited:
            more = f" and {len(edited) - 1} more" if len(edited) > 1 else ""
            raise ArtifactError(
                f"{target}/{edited[0]}{more}: edited here, so nothing was changed; keep a copy elsewhere, then: "
                f"assay pull {target} --force"
            )
        wanted = read_manifest(target, root)
        for name in wrong:
            _put(store.place(objects[name]), root / target / name, wanted[name], Path(repo.tmp_dir, "pulling"))
    return True


def push(target: str, remote: str | None = None, root: Path = WORK) -> int:
    """Send what `<target>.dvc` points to from the cache to a remote; the number of objects that were missing there.

    The listing goes last, so that a remote which has it has everything. Raises ArtifactError.
    """
    with _opened(root) as repo, _lasting(target), _store(repo, remote) as store:
        listing = _pointer(target, root).md5
        _refuse_uncached([listing], target, store, root)
        objects = list(dict.fromkeys(_entries(target, store.place(listing), root).values()))
        _refuse_uncached(objects, target, store, root)
        sent = [oid for oid in (*objects, listing) if store.lacks(oid)]
        for oids in ([oid for oid in sent if oid != listing], [oid for oid in sent if oid == listing]):
            _send(store, oids)
    return len(sent)


def track(target: str, root: Path = WORK) -> None:
    """Write the folder's manifest, and its pointer with `dvc add`, which copies its files to the cache."""
    with _opened(root) as repo, _lasting(target):
        write_manifest(target, root)
        repo.add(str(root / target))


@contextmanager
def _opened(root: Path) -> Iterator["Repo"]:
    """The DVC project, its configuration checked and its lock held; git is neither needed nor touched."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo, lock_repo

    require_checkout("what DVC keeps")
    logging.getLogger("dvc").setLevel(logging.CRITICAL)
    logging.getLogger("dvc_data").setLevel(logging.CRITICAL)
    _check_configuration(root)
    # By default DVC keeps its notes in /var/tmp.
    settings = {"core": {"no_scm": True, "site_cache_dir": str(root / ".dvc" / "tmp" / "site")}}
    try:
        with Repo(str(root), config=settings, _wait_for_lock=True) as repo, lock_repo(repo):
            yield repo
    except DvcException as error:
        raise ArtifactError(_line(error)) from None


@contextmanager
def _lasting(target: str) -> Iterator[None]:
    """Say which folder an error is about, and how to go on."""
    try:
        yield
    except ArtifactError as error:
        raise ArtifactError(f"{target}: {error}") from None


def _check_configuration(root: Path) -> None:
    from dvc.config import Config, ConfigError

    try:
        config = Config(str(root / ".dvc"), validate=False)
        for level, allowed in (("repo", ALLOWED), ("local", PERSONAL)):
            _check_level(config.load_one(level), allowed, Path(config.files[level]).relative_to(root))
    except ConfigError as error:
        raise ArtifactError(f".dvc/config: {_line(error)}") from None


def _check_level(sections: dict, allowed: dict[str, set[str]], path: Path) -> None:
    for section, content in sections.items():
        tables = content.values() if section == "remote" else [content]
        for key in (key for table in tables for key in table):
            if key not in allowed.get(section, ()):
                hint = " (put it into .dvc/config.local)" if key in PERSONAL.get(section, ()) else ""
                raise ArtifactError(f"{path}: {section}: {unknown('key', key, allowed.get(section, ()))}{hint}")


@contextmanager
def _store(repo: "Repo", remote: str | None) -> Iterator[_Store]:
    name = remote or repo.config["core"].get("remote")
    if name not in repo.config["remote"]:
        raise ArtifactError(f".dvc/config: {unknown('remote', name, repo.config['remote'])}")
    if "://" not in repo.config["remote"][name]["url"]:
        yield _Store(name, repo.cloud.get_remote_odb(name), repo.cache.local)
        return
    from assay.artifacts.remotes import reached

    with reached(repo, name) as odb:
        yield _Store(name, odb, repo.cache.local)


def _pointer(target: str, root: Path) -> _Out:
    path = root / f"{target}.dvc"
    try:
        out = parse(_Pointer, read_yaml(path), path).outs[0]
    except StudyError as error:
        raise ArtifactError(f"{error}; restore it: git checkout {path.name}") from None
    if out.path != target:
        raise ArtifactError(f"{path.name}: key 'outs.0.path': points to '{out.path}' (allowed: {target})")
    return out


def _fetched(target: str, store: _Store, root: Path) -> dict[str, str]:
    """Objects by path in the folder, all of them in the cache and unharmed; the listing is checked before it is believed."""
    listing = _pointer(target, root).md5
    store.fetch([listing])
    objects = _entries(target, store.place(listing), root)
    store.fetch(list(objects.values()))
    return objects


def _entries(target: str, listing: Path, root: Path) -> dict[str, str]:
    """Object by path as a folder's listing has it. ArtifactError unless it lists the files of the committed manifest."""
    try:
        entries = TypeAdapter(list[_Entry]).validate_json(listing.read_bytes())
    except ValidationError:
        raise ArtifactError(
            f"object {listing.parent.name}{listing.name} is no listing of a folder; {target}.dvc is wrong"
        ) from None
    objects = {entry.relpath: entry.md5 for entry in entries}
    for name in objects:
        if not inside(name):
            raise ArtifactError(
                f"the listing of {target}.dvc holds {name!r}, which is no file inside {target}/; nothing was written"
            )
    if objects.keys() != read_manifest(target, root).keys():
        other = sorted(objects.keys() ^ read_manifest(target, root).keys())[0]
        raise ArtifactError(f"{target}.dvc and {target}.sha256 disagree on '{other}'; take both from one commit")
    return objects


def _refuse_links(target: str, names: dict[str, str], root: Path) -> None:
    """A link on the way would send files to where it points."""
    folders = {folder for name in names for folder in (root / target / name, *(root / target / name).parents) if folder != root}
    for path in sorted(folders - set(root.parents)):
        if path.is_symlink():
            raise ArtifactError(
                f"{path.relative_to(root)} is a symbolic link to {os.readlink(path)}; remove it, nothing was written"
            )


def _edited(path: Path, oid: str, store: _Store) -> bool:
    """Whether replacing the file would lose something: not if it is missing, cut short, or a version that the cache keeps."""
    if not path.exists():
        return False
    if not path.is_file():
        return True
    return not store.cached(_md5(path)) and not _begins(store.place(oid), path)


def _begins(whole: Path, part: Path) -> bool:
    """Whether one file is the beginning of another, as a full disk or a kill leaves it."""
    with open(whole, "rb") as right, open(part, "rb") as left:
        while piece := left.read(1 << 20):
            if right.read(len(piece)) != piece:
                return False
    return True


def _put(source: Path, path: Path, wanted: str, temporary: Path) -> None:
    """Copy an object to its file by way of a temporary one outside the folder, where it is checked."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, temporary)
    if not matches(temporary, wanted):
        raise ArtifactError(f"{path.name}: the pointer leads to other bytes than the manifest; take both from one commit")
    os.replace(temporary, path)


def _refuse_uncached(oids: list[str], target: str, store: _Store, root: Path) -> None:
    for oid in oids:
        if not store.cached(oid):
            again = f"assay pull {target}" if differing(target, root) else f"dvc add {target}"
            raise ArtifactError(f"object {oid} is not in the cache of this clone; run: {again}")


def _send(store: _Store, oids: list[str]) -> None:
    failures: dict[str, BaseException] = {}
    if oids:
        sources = [str(store.place(oid)) for oid in oids]
        store.odb.add(sources, store.cache.fs, oids, check_exists=False, on_error=failures.__setitem__)
    for oid, failure in failures.items():
        raise ArtifactError(f"object {oid} was not sent to remote '{store.remote}': {_line(failure)}; push again")


def _md5(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def _line(error: BaseException) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0]
