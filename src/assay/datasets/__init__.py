"""Real data sets: the table of what there is (config/datasets.yaml), where they lie, and what a world finds there.

<datasets>/cifar10/              the unpacked files, or a link to a copy that is already there
<datasets>/cifar10.json          the marker: checksums and a digest of the contents; written last
<datasets>/cifar10.index         size and path of every file
<datasets>/archives/cifar10/     what was downloaded

Neither downloads anything (see `assay.datasets.retrieving`) nor imports torch.
"""

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from assay.errors import DataError, EvidenceError, unknown
from assay.language.inputs import parse, read_yaml
from assay.language.plugs import describe
from assay.language.recipes import walk
from assay.storage.files import read_json
from assay.storage.places import PROJECT, place

TABLE = PROJECT / "config" / "datasets.yaml"
NAME = r"[a-z0-9][a-z0-9_-]{0,63}"
FILE = r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}"
SHOWN = 3  # names shown of many


class Installed(BaseModel):
    """A copy that a package of a Linux distribution installs, in a gzip file whose header lost the original's name and time."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    package: str = Field(pattern=f"^{FILE}$", description="the package, as the distribution calls it")
    path: str = Field(pattern="^/.+[.]gz$", description="where it puts the file")
    time: int = Field(ge=0, description="the time in the original's header, in seconds")


class Download(BaseModel):
    """One file that is downloaded, or placed by hand where its publisher asks for a login."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=f"^{FILE}$", description="the file's name")
    addresses: tuple[Annotated[str, Field(pattern="^https?://")], ...] = Field(
        (), description="public addresses, in order of trial"
    )
    installed: Installed | None = Field(None, description="a copy that may be on this machine already, tried first")
    bytes: int | None = Field(None, ge=0, description="its size, if known")
    md5: str | None = Field(None, pattern="^[0-9a-f]{32}$", description="its md5, if one is published")
    sha256: str | None = Field(None, pattern="^[0-9a-f]{64}$", description="its sha256, if one is published")
    form: Literal["file", "tar", "tar-of-tars", "zip"] = Field(description="how it is unpacked; file: used as it is")
    into: str = Field("", pattern=f"^({FILE})?$", description="the folder of the data set that its contents go to")


class OtherLayout(BaseModel):
    """A layout in which copies of a data set are found, and which is not the one that is read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    has: str = Field(pattern=r"^[^/].*[^/]$", description="the pattern of a path that such a copy has")
    called: str = Field(description="what it is, after the data set's name")
    mend: str = Field(description="what makes it right, the command last")


class Entry(BaseModel):
    """One data set of the table."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str = Field(description="what it is, in a line")
    homepage: str = Field(description="where its authors describe it")
    licence: str = Field(description="under what terms it may be used")
    citation: str = Field(description="what to cite")
    by_hand: str = Field("", description="what a person has to do before the files can be had; empty: they are public")
    arrange: Literal["", "imagenet"] = Field("", description="what is done after unpacking")
    layout: tuple[Annotated[str, Field(pattern=r"^[^/].*[^/]$")], ...] = Field(
        (), description="patterns of paths that a copy has, each at least once; * stands for a part of one name"
    )
    other_layouts: tuple[OtherLayout, ...] = Field((), description="layouts of copies that are told how to be made right")
    files: tuple[Download, ...] = Field(min_length=1, description="what it is made of")

    @property
    def expected(self) -> tuple[str, ...]:
        """Patterns of paths that are in every copy: those of the layout, and the files that are used as they are downloaded."""
        return (*self.layout, *(f"{file.into}/{file.name}".lstrip("/") for file in self.files if file.form == "file"))

    @model_validator(mode="after")
    def _reachable(self) -> "Entry":
        for file in self.files:
            if not file.addresses and not self.by_hand:
                raise ValueError(f"file {file.name} has no address, and by_hand does not say how to get it")
        return self


class Table(BaseModel):
    """config/datasets.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1] = Field(description="of this file's format")
    datasets: dict[str, Entry] = Field(description="data sets by name")

    @model_validator(mode="after")
    def _named(self) -> "Table":
        for name in self.datasets:
            if not re.fullmatch(NAME, name):
                raise ValueError(f"name '{name}' is not allowed; use lower-case letters, digits, - and _")
        return self


@cache
def table(path: Path = TABLE) -> Table:
    """The table; StudyError says what is wrong with it in a line."""
    return parse(Table, read_yaml(path), path)


def entry(name: str) -> Entry:
    """One data set of the table; DataError with the nearest name if there is none."""
    datasets = table().datasets
    if name not in datasets:
        raise DataError(f"config/datasets.yaml: {unknown('data set', name, datasets)}")
    return datasets[name]


def folder() -> Path:
    """Where data sets lie: ASSAY_DATASETS, else `datasets` in config/config.yaml; a relative path starts at the place of work."""
    return place(os.environ.get("ASSAY_DATASETS") or _configured_folder())


@cache
def _configured_folder() -> str:
    return read_yaml(PROJECT / "config" / "config.yaml").get("datasets", "datasets")


def marker(name: str) -> Path:
    """The file that says the data set is complete."""
    return folder() / f"{name}.json"


def index_file(name: str) -> Path:
    """The list of the data set's files."""
    return folder() / f"{name}.index"


@dataclass(frozen=True)
class Dataset:
    """A complete data set on disk. identity: a digest of the names and sizes of its files and of the archives they came from."""

    name: str
    root: Path
    identity: str

    def file(self, name: str) -> Path:
        """One of its files; DataError if it is not there."""
        path = self.root / name
        if not path.is_file():
            raise DataError(f"{path}: missing; remove {marker(self.name)} and retrieve again: assay retrieve {self.name}")
        return path

    def listing(self) -> list[tuple[str, int]]:
        """Path and size of all its files, sorted by path; DataError if the list was altered."""
        path, again = index_file(self.name), f"remove {marker(self.name)} and retrieve again: assay retrieve {self.name}"
        content = path.read_bytes() if path.exists() else b""
        if hashlib.sha256(content).hexdigest() != read_json(marker(self.name)).get("index_sha256"):
            raise DataError(f"{path}: missing or altered; {again}")
        pairs = (line.split("\t", 1) for line in content.decode().splitlines())
        return [(path, int(size)) for size, path in pairs]


def retrieved(name: str) -> Dataset:
    """A data set that is complete on disk; DataError says in one line how to retrieve it."""
    entry(name)
    if not marker(name).exists():
        raise DataError(missing(name))
    try:
        return Dataset(name, folder() / name, read_json(marker(name))["identity"])
    except (EvidenceError, KeyError):
        raise DataError(f"{marker(name)}: not a marker; remove it and retrieve again: assay retrieve {name}") from None


def missing(name: str) -> str:
    """What to do about a data set that is not there, in one line."""
    by_hand = entry(name).by_hand
    first = f"{by_hand}, place {_some(entry(name))} in {archives(name)}, then: " if by_hand else ""
    return f"data set {name} is not in {folder()}: {first}assay retrieve {name}"


def archives(name: str) -> Path:
    """Where the data set's downloads lie."""
    return folder() / "archives" / name


def _some(about: Entry) -> str:
    names = [file.name for file in about.files]
    return ", ".join(names[:SHOWN]) + (" ..." if len(names) > SHOWN else "")


def needed(specs: Iterable[Any]) -> list[str]:
    """Names of the data sets that the plugs in canonical data read, sorted.

    A world says so by its constant DATASETS. A name with a parameter in braces ("imagenet-{variants}") stands for one data set
    a value of that parameter.
    """
    return sorted({name for spec in specs for node in walk(spec) if "plug" in node for name in _of_plug(node)})


def _of_plug(node: dict) -> Iterator[str]:
    for template in describe(*node["plug"].split("/")).constants.get("DATASETS", ()):
        parameter = re.search(r"{(\w+)}", template)
        if not parameter:
            yield template
            continue
        value = node["parameters"][parameter[1]]
        yield from (template.replace(parameter[0], str(each)) for each in (value if isinstance(value, list) else [value]))


def check_present(names: Iterable[str]) -> None:
    """Raise DataError for the first data set that is missing and cannot be downloaded without a person."""
    for name in names:
        by_hand = entry(name).by_hand and not all((archives(name) / file.name).exists() for file in entry(name).files)
        if by_hand and not marker(name).exists() and not (folder() / name).exists():
            raise DataError(missing(name))
