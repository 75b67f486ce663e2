"""Two places: where the project's own files lie (configuration, rules, templates, tests), and where work is done.

In a checkout both are the repository. An installed package carries the project's files in a folder of its own, and work is done
in the current folder: results, data sets, Snakemake's notes. What is pulled from the repository's store is in a checkout alone.
"""

import os
import re
from pathlib import Path

from assay.errors import ArtifactError, StudyError

PACKAGE = Path(__file__).resolve().parents[1]
CARRIED = PACKAGE / "_project"  # written by setup.py when a wheel is built
CHECKOUT = None if CARRIED.is_dir() else PACKAGE.parents[1]
PROJECT = CHECKOUT or CARRIED
WORK = CHECKOUT or Path.cwd()
MARKS = ("Snakefile", "src/assay")  # what tells a checkout from other folders


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
