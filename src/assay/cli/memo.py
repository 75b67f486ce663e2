"""What `assay check` found right, and what of it did not change since, as fast as all files can be read.

.snakemake/compiled/check.json holds the digests of all that was found right, and what was said of it. No module that takes long
to import is imported before something is to be checked; what was wrong is checked again each time. A study whose text changed
and reads as the same data, as where a comment did, is as right as it was; so is one of which nothing else than its prose reads
otherwise. A prose that is in doubt is checked with all the rest, as any other change is.
"""

import hashlib
import json
import os
import re
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from assay.artifacts.lines import study_of
from assay.language import kept
from assay.storage.places import CONFIG, PACKAGE, WORK

MEMO = "check.json"
STUDY = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
PROSE = ("question", "notes")  # keys that are text, on which nothing else rests that is checked or said
NO_MODULE = re.compile(r"[A-Za-z]\w*(-\w+)+\.py")  # written as a plug, and found by nobody


class Found(NamedTuple):
    """What is wrong, what to think about, a line on studies from before there were records, and how much was checked."""

    problems: list[str]
    warnings: list[str]
    before: str
    counts: dict[str, int]


class _Files:
    """The files that the check is about, by path below config/ and below the package, with their digests."""

    def __init__(self, config: str):
        self.config = config
        self.sums = kept.Sums()
        listed = [(path, name[:-5]) for path, name in _listed(config, "studies") if name.endswith(".yaml")]
        self.studies = {name: path for path, name in listed}
        beside = os.listdir(os.path.join(config, "scales"))
        self.scales = sorted(name[:-5] for name in beside if name.endswith(".yaml") and name[0] != ".")
        self.modules = kept.modules()
        strange = any(NO_MODULE.fullmatch(os.path.basename(name)) for name in self.modules)
        self.names_are_good = len(self.studies) == len(listed) and all(map(STUDY.fullmatch, self.studies)) and not strange
        self.records: dict[str, list[str]] = {}
        for path, name in _listed(config, "frozen"):
            self.records.setdefault(name.removesuffix(".json"), []).append(path)

    @cached_property
    def archived(self) -> dict[str, str]:
        """One digest of the archive's lines of each study; they are not parsed."""
        found: dict[str, Any] = {}
        try:
            with open(os.path.join(WORK, "archive.jsonl"), "rb") as file:
                for line in file:
                    if study := study_of(line):
                        found.setdefault(study, hashlib.sha256()).update(line)
        except OSError:
            return {}
        return {name: total.hexdigest() for name, total in found.items()}

    def terms(self) -> list[str]:
        """Digests of what everything depends on: the code that checks, the scales, which modules there are."""
        scales = kept.digest_of(self.config, [f"{folder}/{name}.yaml" for folder in ("scales", "seeds") for name in self.scales])
        artifacts = [f"artifacts/{name}.py" for name in ("texts", "entries", "lines")]
        code = kept.digest_of(PACKAGE, ["cli/memo.py", "cli/looking.py", *artifacts, "data/seeds.py"])
        packages = kept.digest_of(PACKAGE, [name for name in self.modules if name.endswith("__init__.py")])
        said = [kept.sum_of(os.path.join(self.config, name)) for name in ("papers.json", "frozen/before.json")]
        return [kept.compiler(), scales, code, packages, hashlib.sha256(" ".join(self.modules).encode()).hexdigest(), *said]

    def text(self, name: str) -> str:
        """A digest of a study's file."""
        return kept.sum_of(os.path.join(self.config, self.studies[name]))

    def data(self, name: str) -> str:
        """A digest of what a study's file reads as but for its prose, in its order; empty if it cannot be read, if its prose is
        not plainly text, or if it changes meanwhile."""
        from assay.errors import StudyError
        from assay.language.reading import read_yaml

        before = self.text(name)
        try:
            read = read_yaml(Path(self.config, self.studies[name]))
        except StudyError:
            return ""
        for key in PROSE:
            if isinstance(read, dict) and key in read:
                if not _is_text(read[key]):
                    return ""
                read[key] = True
        as_checked = json.dumps(read, default=str)  # as assay.language.inputs.parse takes it
        return hashlib.sha256(as_checked.encode()).hexdigest() if before == self.text(name) else ""

    def beside(self, name: str) -> str:
        """One digest of where a study's file lies, the records of its trials, and what was measured of it."""
        own = kept.digest_of(self.config, self.records[name]) if name in self.records else ""
        return f"{self.studies[name]} {own} {self.archived.get(name, '')} {self._measured(name)}"

    @cached_property
    def _observed(self) -> dict[str, list[str]]:
        """The folders of the blocks that were measured here, by study, at every scale."""
        found: dict[str, list[str]] = {}
        for scale in self.scales:
            root = os.path.join(WORK, "results", scale, "observations")
            for study in os.listdir(root) if os.path.isdir(root) else ():
                found.setdefault(study, []).append(os.path.join(root, study))
        return found

    def _measured(self, name: str) -> str:
        """One digest of what vouches for the study's blocks here, at every scale; empty where there are none."""
        folders = filter(os.path.isdir, self._observed.get(name, ()))
        found = [f"{folder}/{block}/provenance.json" for folder in folders for block in os.listdir(folder)]
        return kept.digest_of("/", found) if found else ""


def _is_text(value: Any) -> bool:
    """Whether it is text that says something, in characters that a file can hold: half a pair, as YAML may escape it, is none."""
    return isinstance(value, str) and bool(value) and not any("\ud800" <= character <= "\udfff" for character in value)


def _listed(config: str, folder: str) -> list[tuple[str, str]]:
    """The files two levels below a folder, by path below config/ and name, in their order."""
    root = os.path.join(config, folder)
    inside = [entry.name for entry in os.scandir(root) if entry.is_dir()] if os.path.isdir(root) else []
    files = ((each, name) for each in inside for name in os.listdir(os.path.join(root, each)))
    return sorted((f"{folder}/{each}/{name}", name) for each, name in files if not each.startswith(".") and name[0] != ".")


class Memo:
    """What was found right of the files as they are now. sound: by study, what was said of it; plugs: the files behind each;
    scales: those of the plugs that scales name."""

    def __init__(self, config: str | os.PathLike):
        self.kept = str(config) == str(CONFIG)
        if not self.kept:  # of other projects nothing is kept
            self.sound, self.plugs, self.scales, self.complete = {}, {}, {}, False
            return
        self.files = _Files(str(config))
        self.terms = self.files.terms()
        data = kept.read(MEMO)
        self.data = (
            data if data and data["terms"] == self.terms else {"plugs": {}, "studies": {}, "scales": {}, "count": -1, "why": ""}
        )
        hold = self.files.sums.hold
        self.plugs = {plug: needs for plug, needs in self.data["plugs"].items() if hold(needs)}
        self.scales = self.data["scales"] if hold(self.data["scales"]) else {}
        studies = self.data["studies"] if self.scales else {}
        self.reworded = False
        self.sound = {name: each for name, each in studies.items() if name in self.files.studies and self._holds(name, each)}
        whole = len(self.plugs) == self.data["count"] and set(self.sound) == set(self.files.studies)
        self.complete = whole and self.files.names_are_good

    def _holds(self, name: str, said: dict[str, Any]) -> bool:
        if said["beside"] != self.files.beside(name) or not self.files.sums.hold(said["needs"]):
            return False
        text = self.files.text(name)
        if said["text"] == text:
            return True
        if not text or not said["data"] or said["data"] != self.files.data(name):
            return False
        said["text"], self.reworded = text, True
        return True

    @property
    def found(self) -> Found:
        """What there is to say where everything is sound."""
        said = [self.sound[name] for name in sorted(self.sound)]
        before = sum(each["before"] for each in said)
        line = f"{before} studies were {self.data['why']}" if before else ""
        counts = {"studies": len(said), "scales": len(self.files.scales), "plugs": self.data["count"]}
        return Found([], [warning for each in said for warning in each["warnings"]], line, counts)

    def add(self, name: str, warnings: list[str], before: bool) -> None:
        """A study was found right, with this to be said of it."""
        needs = [(kept.read(f"{scale}/{name}.json") or {}).get("needs") for scale in self.files.scales] if self.kept else []
        if needs and all(needs):
            files = {path: value for each in needs for plug in each.values() for path, value in plug.items()}
            own = {"text": self.files.text(name), "data": self.files.data(name), "beside": self.files.beside(name)}
            self.sound[name] = own | {"needs": files, "warnings": warnings, "before": before}

    def keep(self) -> None:
        """Keep what holds, where texts changed that read as they did."""
        if self.reworded:
            self.save(self.scales, self.data["count"], self.data["why"])

    def save(self, scales: dict[str, str], count: int, why: str) -> None:
        """Keep it. scales: the files of plugs that the scales name; count: of all plugs; why: said of studies from before."""
        if self.kept and self.files.terms() == self.terms:
            data = {"terms": self.terms, "plugs": self.plugs, "studies": self.sound, "scales": scales, "count": count, "why": why}
            kept.write(MEMO, data)
