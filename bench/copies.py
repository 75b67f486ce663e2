"""A project of as many studies as are wanted: copies of the project's own, under other names, with their archived evidence.

python bench/copies.py FOLDER 764              a copy of the checkout with 764 studies, whose evidence is archived and fresh
python bench/copies.py FOLDER 764 --apart      each copy with networks of its own, and so without evidence

PYTHONPATH=FOLDER/src python -m assay.cli list        (in FOLDER) uses its code and studies, whatever this environment has
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from itertools import count as counting
from itertools import islice
from pathlib import Path

import yaml

from assay.artifacts.entries import Entry, StoredFile, read_entries, write_entries
from assay.language.inputs import read_yaml
from assay.language.recipes import canonical
from assay.language.studies import load_studies
from assay.language.study import Study, StudyFile

ROOT = Path(__file__).resolve().parent.parent
SCALE = "laptop"  # at which evidence is archived


def copies(tree: Path, count: int, apart: bool = False) -> None:
    """Make `tree` a copy of this checkout with `count` studies: its own, and copies of them.

    Copies of one study share its networks, and have its evidence in the archive, fresh. With `apart` each has networks of its
    own, which differ in a draw, and no evidence.
    """
    _copy_checkout(tree)
    studies = load_studies(SCALE)
    entries = read_entries(ROOT)
    _copy_evidence(tree, entries)
    before = json.loads((ROOT / "config/frozen/before.json").read_text())
    lines: dict[str, Entry | None] = {}
    for study, number in islice(_more(studies), max(0, count - len(studies))):
        name = f"{study.name}-{number}"
        text = _with_networks_of_its_own(study, number) if apart else study.text
        path = tree / "config" / "studies" / study.family / f"{name}.yaml"
        path.write_text(text, encoding="utf-8")
        file = StudyFile.model_validate(read_yaml(path))
        before["studies"][name] = replace(study, file=file).judged_digest
        own = () if apart else (entry for entry in entries.values() if entry.study == study.name and entry.scale == SCALE)
        lines |= {made.key: made for made in (_renamed(tree, entry, study, name) for entry in own)}
    (tree / "config/frozen/before.json").write_text(json.dumps(before, indent=1))
    write_entries(lines, tree)


def environment(tree: Path) -> dict[str, str]:
    """The environment in which this Python imports the code of the copy."""
    return os.environ | {"PYTHONPATH": str(tree / "src")}


def _more(studies: dict[str, Study]) -> Iterator[tuple[Study, int]]:
    """Each study once with number 1, then each with 2, and so on."""
    return ((study, number) for number in counting(1) for study in studies.values())


def _copy_checkout(tree: Path) -> None:
    """The files of the checkout, committed or to be, and data/ if it is there."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).exists():
            target = tree / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, target)
    if (ROOT / "data").is_dir() and not (tree / "data").exists():
        (tree / "data").symlink_to(ROOT / "data")


def _copy_evidence(tree: Path, entries: dict[str, Entry]) -> None:
    """The files of the archive, each from the store, where it lies under its MD5."""
    for entry in entries.values():
        folder = tree / entry.folder
        folder.mkdir(parents=True, exist_ok=True)
        for name, file in entry.files.items():
            shutil.copyfile(ROOT / "dvcstore/files/md5" / file.md5[:2] / file.md5[2:], folder / name)


def _with_networks_of_its_own(study: Study, number: int) -> str:
    """The study's text with another draw of initialisations."""
    data = yaml.safe_load(study.text)
    base = data.setdefault("base", {})
    base["draws"] = {**base.get("draws", {}), "init": 1000 + number}
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True)


def _renamed(tree: Path, entry: Entry, study: Study, name: str) -> Entry:
    """An entry as one of a study of another name, its files beside it."""
    folder, old = tree / entry.folder.replace(f"/studies/{study.name}/", f"/studies/{name}/"), tree / entry.folder
    folder.mkdir(parents=True, exist_ok=True)
    rows = (old / "observations.csv").read_text().replace(f"\n{study.name},", f"\n{name},")
    (folder / "observations.csv").write_text(rows)
    if not (folder / "arrays.npz").exists():
        os.link(old / "arrays.npz", folder / "arrays.npz")  # they name no study
    plan = hashlib.sha256(canonical(json.loads(study.plan) | {"study": name}).encode()).hexdigest()
    said = json.loads((old / "provenance.json").read_text())
    if said["study_sha256"] != study.digest:
        plan = said["study_sha256"]  # stale evidence has stale copies
    said |= {"study": name, "study_sha256": plan, "sha256": hashlib.sha256(rows.encode()).hexdigest()}
    (folder / "provenance.json").write_text(json.dumps(said, indent=1, sort_keys=True))
    files = {file: _stored((folder / file).read_bytes()) for file in entry.files}
    return entry.model_copy(update={"key": entry.key.replace(f"/{study.name}/", f"/{name}/"), "plan": plan, "files": files})


def _stored(content: bytes) -> StoredFile:
    return StoredFile(md5=hashlib.md5(content).hexdigest(), sha256=hashlib.sha256(content).hexdigest(), size=len(content))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("count", type=int)
    parser.add_argument("--apart", action="store_true")
    arguments = parser.parse_args()
    copies(arguments.folder.resolve(), arguments.count, arguments.apart)
