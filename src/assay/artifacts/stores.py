"""Stores: where the bytes of versioned files lie, on DVC's remotes and in its local cache, by MD5.

DVC knows every kind of remote, and verifies neither objects nor listings by default. So here DVC moves objects between remote and
cache, every object is compared with its name, and a file is written only with the SHA-256 that the commit lists for it.
"""

import hashlib
import logging
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.errors import ArtifactError, unknown
from assay.storage.manifest import matches
from assay.storage.places import require_checkout

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


@dataclass(frozen=True)
class Store:
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
        if path.exists() and md5(path) != oid.removesuffix(".dir"):
            path.unlink()
        return path.exists()

    def keep(self, path: Path, oid: str) -> None:
        """Copy a file to the cache, under the name of its bytes."""
        place = self.place(oid)
        place.parent.mkdir(parents=True, exist_ok=True)
        temporary = place.with_name(f".{place.name}.{os.getpid()}.tmp")
        try:
            shutil.copyfile(path, temporary)
            os.replace(temporary, place)
        finally:
            temporary.unlink(missing_ok=True)

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
            what, fix = f"cannot be read: {first_line(failure)}", "pull again"
        return f"object {oid} {what} on remote '{self.remote}': {where}; {fix}"

    def lacks(self, oid: str) -> bool:
        """Whether the remote has no such object, or one of another size."""
        path = self.odb.oid_to_path(oid)
        return not self.odb.fs.exists(path) or self.odb.fs.size(path) != self.place(oid).stat().st_size


@contextmanager
def opened_project(root: Path) -> Iterator["Repo"]:
    """The DVC project, its configuration checked and its lock held; git is neither needed nor touched."""
    require_checkout("what a store holds")
    from dvc.exceptions import DvcException
    from dvc.repo import Repo, lock_repo

    logging.getLogger("dvc").setLevel(logging.CRITICAL)
    logging.getLogger("dvc_data").setLevel(logging.CRITICAL)
    _check_configuration(root)
    # By default DVC keeps its notes in /var/tmp.
    settings = {"core": {"no_scm": True, "site_cache_dir": str(root / ".dvc" / "tmp" / "site")}}
    try:
        with Repo(str(root), config=settings, _wait_for_lock=True) as repo, lock_repo(repo):
            yield repo
    except DvcException as error:
        raise ArtifactError(first_line(error)) from None


def _check_configuration(root: Path) -> None:
    from dvc.config import Config, ConfigError

    try:
        config = Config(str(root / ".dvc"), validate=False)
        for level, allowed in (("repo", ALLOWED), ("local", PERSONAL)):
            _check_level(config.load_one(level), allowed, Path(config.files[level]).relative_to(root))
    except ConfigError as error:
        raise ArtifactError(f".dvc/config: {first_line(error)}") from None


def _check_level(sections: dict, allowed: dict[str, set[str]], path: Path) -> None:
    for section, content in sections.items():
        tables = content.values() if section == "remote" else [content]
        for key in (key for table in tables for key in table):
            if key not in allowed.get(section, ()):
                hint = " (put it into .dvc/config.local)" if key in PERSONAL.get(section, ()) else ""
                raise ArtifactError(f"{path}: {section}: {unknown('key', key, allowed.get(section, ()))}{hint}")


@contextmanager
def reached(repo: "Repo", remote: str | None) -> Iterator[Store]:
    """A remote by its name in .dvc/config, the default one if not given, with the local cache."""
    name = remote or repo.config["core"].get("remote")
    if name not in repo.config["remote"]:
        raise ArtifactError(f".dvc/config: {unknown('remote', name, repo.config['remote'])}")
    if "://" not in repo.config["remote"][name]["url"]:
        yield Store(name, repo.cloud.get_remote_odb(name), repo.cache.local)
        return
    try:
        from assay.artifacts import remotes
    except ModuleNotFoundError as error:
        needs = f"needs the package {error.name}, which is not installed; run: pip install 'assay[remotes]'"
        raise ArtifactError(f"remote '{name}' ({repo.config['remote'][name]['url']}): {needs}") from None

    with remotes.reached(repo, name) as odb:
        yield Store(name, odb, repo.cache.local)


@dataclass(frozen=True)
class Wanted:
    """A versioned file: the name of its bytes in a store, and what the commit says they hash to."""

    md5: str
    sha256: str


def bring(repo: "Repo", store: Store, target: str, files: Mapping[str, Wanted], root: Path, *, force: bool = False) -> None:
    """Write those of the files below the folder `target` that differ, from the cache, which holds their bytes.

    ArtifactError, before anything is written, where a file was edited here (unless force) or a link leads elsewhere.
    """
    wrong = [name for name, wanted in files.items() if not matches(root / target / name, wanted.sha256)]
    _refuse_links(target, files, root)
    edited = [name for name in wrong if not force and _would_lose(root / target / name, files[name].md5, store)]
    if edited:
        more = f" and {len(edited) - 1} more" if len(edited) > 1 else ""
        raise ArtifactError(
            f"{target}/{edited[0]}{more}: edited here, so nothing was changed; keep a copy elsewhere, then: "
            f"assay pull {target} --force"
        )
    for name in wrong:
        _put(store.place(files[name].md5), root / target / name, files[name].sha256, Path(repo.tmp_dir, "pulling"))


def _refuse_links(target: str, names: Iterable[str], root: Path) -> None:
    """A link on the way would send files to where it points."""
    folders = {folder for name in names for folder in (root / target / name, *(root / target / name).parents) if folder != root}
    for path in sorted(folders - set(root.parents)):
        if path.is_symlink():
            raise ArtifactError(
                f"{path.relative_to(root)} is a symbolic link to {os.readlink(path)}; remove it, nothing was written"
            )


def _would_lose(path: Path, oid: str, store: Store) -> bool:
    """Whether replacing the file would lose something: not if it is missing, cut short, or a version that the cache keeps."""
    if not path.exists():
        return False
    if not path.is_file():
        return True
    return not store.cached(md5(path)) and not _begins(store.place(oid), path)


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


def send(store: Store, oids: list[str]) -> None:
    """Send objects from the cache to the remote; ArtifactError names one that did not arrive."""
    failures: dict[str, BaseException] = {}
    if oids:
        sources = [str(store.place(oid)) for oid in oids]
        store.odb.add(sources, store.cache.fs, oids, check_exists=False, on_error=failures.__setitem__)
    for oid, failure in failures.items():
        raise ArtifactError(f"object {oid} was not sent to remote '{store.remote}': {first_line(failure)}; push again")


def md5(path: Path) -> str:
    """What DVC calls a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def first_line(error: BaseException) -> str:
    """What an error of a library says, in a line."""
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0]
