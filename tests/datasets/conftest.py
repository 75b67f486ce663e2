"""A place for data sets, a table of tiny ones, and a server that has them."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from file_server import Shelf, serving
from retrieval_cases import bring, photos  # noqa: F401

from assay import datasets
from assay.datasets import Table


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    with serving(Shelf()) as shelf:
        yield shelf


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """An empty folder for data sets, and a table of its own beside it."""
    monkeypatch.setenv("ASSAY_DATASETS", str(tmp_path / "datasets"))
    monkeypatch.setattr(datasets, "TABLE", tmp_path / "config" / "datasets.yaml")
    return tmp_path / "datasets"


@pytest.fixture
def offer(place, shelf, monkeypatch) -> Callable[..., None]:
    """offer(name, {file name: (form, content)}, ...): put files on the shelf and a data set of them into the table."""

    def build(name: str, files: dict[str, tuple[str, bytes]], *, checksums: bool = True, **changes) -> None:
        listed = []
        for file, (form, content) in files.items():
            shelf.files[f"/{name}/{file}"] = content
            sums = {"md5": hashlib.md5(content).hexdigest(), "sha256": hashlib.sha256(content).hexdigest()}
            entry = {"name": file, "addresses": [f"{shelf.address}/{name}/{file}"], "form": form, "bytes": len(content)}
            listed.append({**entry, **(sums if checksums else {}), **changes.get("file", {})})
        about = {"title": name, "homepage": "here", "licence": "free", "citation": "none", **changes.get("entry", {})}
        table = Table.model_validate({"version": 1, "datasets": {name: {**about, "files": listed}}})
        monkeypatch.setattr(datasets, "table", lambda: table)

    return build
