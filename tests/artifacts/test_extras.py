"""Extras of the package: what is left out is said in a line where it is needed, and the lock has all of them."""

import re
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest

import assay.artifacts
from assay.artifacts.stores import reached
from assay.errors import ArtifactError

ROOT = Path(__file__).parents[2]


def test_a_remote_whose_packages_are_not_installed_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "dvc_s3", None)
    monkeypatch.delitem(sys.modules, "assay.artifacts.remotes", raising=False)
    monkeypatch.delattr(assay.artifacts, "remotes", raising=False)
    repo = SimpleNamespace(config={"core": {}, "remote": {"bucket": {"url": "s3://lab/assay"}}})
    with pytest.raises(ArtifactError) as caught, reached(repo, "bucket"):
        pass
    said = "remote 'bucket' (s3://lab/assay): needs the package dvc_s3, which is not installed; run: pip install 'assay[remotes]'"
    assert str(caught.value) == said


def test_the_lock_has_every_extra():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert {"cluster", "remotes", "test"} == set(extras)
    asked = {re.match(r"[\w-]+", each)[0].lower() for named in extras.values() for each in named}
    locked = {line.partition("==")[0].lower() for line in (ROOT / "envs/lock.txt").read_text().splitlines()}
    assert asked <= locked
    lock = (ROOT / "envs/lock.sh").read_text()
    assert all(f"--extra {name} " in lock for name in extras)
