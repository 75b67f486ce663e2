"""Places: where the project's own files lie (rules, templates, tests, the catalogue), where studies and scales, and where work is
done.

In a checkout all are the repository. An installed package carries the project's files in a folder of its own. It works in the
project folder that the current folder lies in, one with a config/ of its own studies and scales (`assay init`), else in the
current folder, with the studies it carries. What is pulled from the repository's store is in a checkout alone.
"""

import os
import re
from pathlib import Path

from assay.errors import ArtifactError, StudyError

PACKAGE = Path(__file__).resolve().parents[1]
CARRIED = PACKAGE / "_project"  # written by setup.py when a wheel is built
CHECKOUT = None if CARRIED.is_dir() else PACKAGE.parents[1]
PROJECT = CHECKOUT or CARRIED
MARKS = ("Snakefile", "src/assay")  # what tells a checkout from other folders
FOLDER_MARKS = ("config/config.yaml", "config/studies")  # what tells a project folder


def project_folder(start: Path) -> Path | None:
    """The nearest project folder that a folder lies in: none where a checkout is nearer."""
    path = start.resolve()
    marked = (at for at in (path, *path.parents) if all((at / mark).exists() for mark in FOLDER_MARKS))
    nearest = next(marked, None)
    return nearest if nearest and not all((nearest / mark).exists() for mark in MARKS) else None


FOLDER = None if CHECKOUT else project_folder(Path.cwd())
WORK = CHECKOUT or FOLDER or Path.cwd()
CONFIG = (FOLDER or PROJECT) / "config"


def config_of(work: Path) -> Path:
    """The studies and scales as seen from a place of work."""
    return CONFIG if work == WORK else work / "config"


def project_of(work: Path) -> Path:
    """The project's own files as seen from a place of work: those of this package, or the ones another project has itself."""
    return PROJECT if work == WORK else work


def place(written: str) -> Path:
    """The place that a person's path names: ~ is the home, $NAME a variable, and a relative path starts at the place of work.

    StudyError where there is no such home or variable: a folder called ~ would be made instead.
    """
    found = os.path.expandvars(os.path.expanduser(written))
    unknown = re.match(r"~[^/]*", found) or re.search(r"\$(\w+|\{[^}]*\})", found)
    if unknown:
        raise StudyError(f"'{written}': '{unknown[0]}' is not known here; write the path in full")
    return WORK / found


def require_checkout(what: str) -> None:
    """Raise ArtifactError, saying what there is only in a checkout, unless this package runs from one."""
    if CHECKOUT is None:
        raise ArtifactError(
            f"{what}: only in a checkout of the repository, not with the package in {PACKAGE}; clone and run there"
        )


def require_project(what: str) -> None:
    """Raise ArtifactError, saying what is written only in a checkout or a project folder, where work is done in neither."""
    if CHECKOUT is None and FOLDER is None:
        raise ArtifactError(f"{what}: only in a checkout or a project folder; make one: assay init FOLDER, then cd there")


def other_checkout(*folders: Path) -> Path | None:
    """The checkout that one of these folders lies in, if it is not the project whose code runs here."""
    for folder in folders:
        path = folder.resolve()
        nearest = next((at for at in (path, *path.parents) if all((at / mark).exists() for mark in MARKS)), None)
        if nearest and nearest != PROJECT:
            return nearest
    return None


def warning_of_other_checkout(*folders: Path) -> str:
    """One line that names both projects; empty where there is but one."""
    other = other_checkout(*folders)
    if other is None:
        return ""
    return f"warning: {other} is a checkout of assay, but code, studies and scales are those of {PROJECT}; use {other}/.venv/bin"
