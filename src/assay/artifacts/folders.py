"""Versioned folders: pull and push what `<folder>.dvc` points to, trusting nothing that the commit does not vouch for.

DVC keeps objects by MD5 in a local cache and in remotes. By default it verifies neither objects nor the listing of a folder, and
a rewritten listing makes it write anywhere. So here DVC moves objects between remote and cache, every object is compared with
its name, the listing with the pointer and with the committed manifest, and a file reaches the folder only with the SHA-256
listed there.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from assay.artifacts.stores import Store, Wanted, bring, opened_project, reached, send
from assay.errors import ArtifactError, StudyError
from assay.language.inputs import parse, read_yaml
from assay.storage.manifest import differing, inside, matches, read_manifest, write_manifest
from assay.storage.places import WORK


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


def pull(
    target: str, remote: str | None = None, *, only: Collection[str] | None = None, force: bool = False, root: Path = WORK
) -> bool:
    """Bring the folder `target` to the state its pointer and manifest name; False if it was there already.

    remote: a name in .dvc/config, the default one if not given. only: these of its files, all if not given. force: replace files
    that were edited. Another pull at work in this project is waited for. Raises ArtifactError: an object missing or corrupted, an
    edited file, a pointer, listing or configuration that cannot be trusted.
    """
    wanted = {name: sha for name, sha in read_manifest(target, root).items() if only is None or name in only}
    if all(matches(root / target / name, sha) for name, sha in wanted.items()):
        return False
    with opened_project(root) as repo, _lasting(target):
        with reached(repo, remote) as store:
            objects = _fetched(target, wanted, store, root)
        bring(repo, store, target, {name: Wanted(objects[name], sha) for name, sha in wanted.items()}, root, force=force)
    return True


def push(target: str, remote: str | None = None, root: Path = WORK) -> int:
    """Send what `<target>.dvc` points to from the cache to a remote; the number of objects that were missing there.

    The listing goes last, so that a remote which has it has everything. Raises ArtifactError.
    """
    with opened_project(root) as repo, _lasting(target), reached(repo, remote) as store:
        listing = _pointer(target, root).md5
        _refuse_uncached([listing], target, store, root)
        objects = list(dict.fromkeys(_entries(target, store.place(listing), root).values()))
        _refuse_uncached(objects, target, store, root)
        sent = [oid for oid in (*objects, listing) if store.lacks(oid)]
        for oids in ([oid for oid in sent if oid != listing], [oid for oid in sent if oid == listing]):
            send(store, oids)
    return len(sent)


def track(target: str, root: Path = WORK) -> None:
    """Write the folder's manifest, and its pointer with `dvc add`, which copies its files to the cache."""
    with opened_project(root) as repo, _lasting(target):
        write_manifest(target, root)
        repo.add(str(root / target))


@contextmanager
def _lasting(target: str) -> Iterator[None]:
    """Say which folder an error is about, and how to go on."""
    try:
        yield
    except ArtifactError as error:
        raise ArtifactError(f"{target}: {error}") from None


def _pointer(target: str, root: Path) -> _Out:
    path = root / f"{target}.dvc"
    try:
        out = parse(_Pointer, read_yaml(path), path).outs[0]
    except StudyError as error:
        raise ArtifactError(f"{error}; restore it: git checkout {path.name}") from None
    if out.path != target:
        raise ArtifactError(f"{path.name}: key 'outs.0.path': points to '{out.path}' (allowed: {target})")
    return out


def _fetched(target: str, names: Collection[str], store: Store, root: Path) -> dict[str, str]:
    """Objects by path of these files of the folder, in the cache and unharmed; the listing is checked before it is believed."""
    listing = _pointer(target, root).md5
    store.fetch([listing])
    entries = _entries(target, store.place(listing), root)
    objects = {name: entries[name] for name in names}
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


def _refuse_uncached(oids: list[str], target: str, store: Store, root: Path) -> None:
    for oid in oids:
        if not store.cached(oid):
            again = f"assay pull {target}" if differing(target, root) else f"dvc add {target}"
            raise ArtifactError(f"object {oid} is not in the cache of this clone; run: {again}")
