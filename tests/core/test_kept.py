"""Kept studies: equal to compiled ones, taken up while nothing they rest on changed, and never where anything did."""

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
import yaml

from assay.cli import memo as memos
from assay.errors import StudyError
from assay.language import kept
from assay.language.frozen import warnings_of
from assay.language.keeping import Keeper, _data
from assay.language.plugs import PACKAGE
from assay.language.scales import load_scale
from assay.language.stretching import stretched
from assay.language.studies import compile_study, study_paths
from assay.storage.places import WORK

SCALES = {name: load_scale(name) for name in ("laptop", "cluster")}


class Place:
    """A folder for kept studies, a copy of the package to change, and a study's file to change."""

    def __init__(self, root: Path, study: str = "mixup"):
        self.folder, self.package = root / "kept", root / "assay"
        shutil.copytree(PACKAGE, self.package, ignore=shutil.ignore_patterns("__pycache__"))
        self.path = root / "config/studies/training-recipes" / f"{study}.yaml"
        self.path.parent.mkdir(parents=True)
        shutil.copyfile(study_paths()[study], self.path)
        self.papers = lambda paper: True

    def read(self, scale: str = "laptop", text: str = "scale") -> bool:
        """Read the study; whether it had to be compiled."""
        compiled = []

        def compile_it():
            compiled.append(self.path)
            return compile_study(self.path, scale, SCALES[scale])

        kept.compiler.cache_clear()
        keeper = Keeper(scale, text, lambda paper: self.papers(paper), self.package, str(self.folder))
        self.study = keeper.study(self.path, 5, compile_it)
        return bool(compiled)


@pytest.fixture
def place(tmp_path):
    yield Place(tmp_path)
    kept.compiler.cache_clear()


def test_a_search_path_that_names_a_folder_twice_has_the_same_packages(monkeypatch, tmp_path):
    """What runs a job's script adds to the path what is there; jobs take up what the main process kept all the same."""
    digest = kept.compiler.__wrapped__
    once = digest()
    monkeypatch.setattr(sys, "path", [*sys.path, *sys.path])
    assert digest() == once
    (tmp_path / "another-1.0.dist-info").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    assert digest() != once


@pytest.mark.parametrize("scale", SCALES)
def test_every_study_comes_back_as_it_was_compiled(scale, tmp_path):
    for name, path in study_paths().items():
        made = compile_study(path, scale, SCALES[scale])
        Keeper(scale, "", lambda paper: True, folder=str(tmp_path)).study(path, made.seeds, lambda made=made: made)
        again = Keeper(scale, "", lambda paper: True, folder=str(tmp_path)).study(path, made.seeds, lambda: None)
        assert again is not None, f"{name} is not kept"
        assert again == made
        assert json.dumps(_data(again)) == json.dumps(_data(made))
        assert (again.digest, again.plan, again.judgement) == (made.digest, made.plan, made.judgement)
        assert [(r.name, r.digest, r.plugs, r.reads, r.depth, r.json) for r in again.recipes] == [
            (r.name, r.digest, r.plugs, r.reads, r.depth, r.json) for r in made.recipes
        ]


def append(path: Path) -> None:
    with open(path, "a") as file:
        file.write("\n# changed\n")


CHANGES = {
    "the study": lambda place: append(place.path),
    "a plug": lambda place: append(place.package / "augment/mixup.py"),
    "a plug that is a default": lambda place: append(place.package / "objectives/cross_entropy.py"),
    "a plug that is gone": lambda place: (place.package / "augment/mixup.py").unlink(),
    "the compiler": lambda place: append(place.package / "language/compiling.py"),
    "the schema": lambda place: append(place.package / "language/study.py"),
    "the language of expectations": lambda place: append(place.package / "language/expectations/terms.py"),
    "the catalogue": lambda place: setattr(place, "papers", lambda paper: False),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_a_study_rests_on_is_seen_to_change(place, change):
    assert place.read()
    assert not place.read()
    times = place.path.stat()
    CHANGES[change](place)
    os.utime(place.path, ns=(times.st_atime_ns, times.st_mtime_ns))  # times that lie
    assert place.read()


def test_another_scale_compiles_anew(place):
    place.read(text="one")
    assert place.read(text="another")


def test_a_helper_whose_constants_a_plug_names_is_seen_to_change(tmp_path):
    place = Place(tmp_path, "imagenet_c")
    assert place.read()
    assert not place.read()
    entry = json.loads((place.folder / "laptop/imagenet_c.json").read_bytes().partition(b"\n")[2])
    helpers = {path for files in entry["needs"].values() for path in files if Path(path).name.startswith("_")}
    assert helpers, "the study is one whose plugs take constants from a helper"
    append(place.package / min(helpers))
    assert place.read()


def test_what_it_does_not_use_changes_nothing(place):
    place.read()
    append(place.package / "attacks/deepfool.py")
    append(place.package / "report/site.py")
    assert not place.read()


DAMAGES = {
    "cut": lambda text: text[: len(text) // 2],
    "empty": lambda text: b"",
    "another byte": lambda text: text.replace(b'"resnet"', b'"resnex"', 1).replace(b"0.2", b"0.3", 1),
    "another checksum": lambda text: b"0" * 64 + text[64:],
    "no text": lambda text: b"\xff\xfe" + text,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_damaged_counts_as_not_there(place, damage):
    place.read()
    whole = place.study
    path = place.folder / "laptop/mixup.json"
    text = path.read_bytes()
    path.write_bytes(DAMAGES[damage](text))
    assert path.read_bytes() != text
    assert place.read()
    assert place.study == whole
    assert not place.read()


def test_where_nothing_can_be_written_studies_are_compiled_as_ever(place):
    place.folder.write_text("no folder")
    assert place.read()
    assert place.read()


def _write_and_read(folder: str, value: str) -> set[str]:
    seen = set()
    for _ in range(200):
        kept.write("one.json", value * 5000, folder)
        seen.add(str(kept.read("one.json", folder))[:1])
    return seen


def test_of_two_processes_that_write_a_reader_sees_the_one_or_the_other(tmp_path):
    with ProcessPoolExecutor(2) as pool:
        seen = set.union(*pool.map(_write_and_read, [str(tmp_path)] * 2, "ab"))
    assert seen <= {"a", "b"}
    assert [path.name for path in tmp_path.iterdir()] == ["one.json"]


def test_an_invalid_study_is_invalid_each_time(place):
    place.read()
    place.path.write_text(place.path.read_text().replace("protocol:", "protocoll:"))
    for _ in range(2):
        with pytest.raises(Exception, match="protocoll"):
            place.read()


def test_notes_hold_for_the_very_bytes_of_a_file(tmp_path, monkeypatch):
    monkeypatch.setattr(kept, "FOLDER", str(tmp_path / "kept"))
    path, made = tmp_path / "a.py", []
    path.write_text("one")

    def read_off():
        made.append(path.read_text())
        return made[-1]

    first = kept.Notes("notes", "terms")
    assert (first.of(path, "text", read_off), first.of(path, "text", read_off)) == ("one", "one")
    first.save()
    assert kept.Notes("notes", "terms").of(path, "text", read_off) == "one"
    assert made == ["one"]
    assert kept.Notes("notes", "other terms").of(path, "text", read_off) == "one"
    path.write_text("two")
    assert kept.Notes("notes", "terms").of(path, "text", read_off) == "two"
    assert made == ["one", "one", "two"]


STUDY = "question: Is it so?\narms: {erm: {}, mixup: {alpha: 1}}\nmargin: 0.1\nnotes: None.\n"


class Project:
    """A project whose check is kept: two studies, one scale, two plugs."""

    def __init__(self, root: Path, monkeypatch):
        self.root, self.package = root, root / "assay"
        for name in ("config/studies/f/one.yaml", "config/studies/f/two.yaml", "config/scales/ci.yaml", "config/papers.json"):
            self.write(name)
        for name in ("a/__init__.py", "a/p.py", "a/q.py", "language/x.py", "cli/memo.py", "cli/looking.py"):
            self.write(f"assay/{name}")
        monkeypatch.setattr(memos, "CONFIG", root / "config")
        monkeypatch.setattr(memos, "PACKAGE", self.package)
        monkeypatch.setattr(kept, "FOLDER", str(root / "kept"))
        for function, given in ((kept.modules, (str(self.package),)), (kept.compiler, (str(self.package),))):
            monkeypatch.setattr(kept, function.__name__, lambda function=function, given=given: function(*given))
        sums = kept.Sums
        monkeypatch.setattr(kept, "Sums", lambda: sums(str(self.package)))
        self.clear = kept.compiler
        for study, plug in (("one", "p"), ("two", "q")):
            kept.write(f"ci/{study}.json", {"needs": {f"a/{plug}": {f"a/{plug}.py": kept.sum_of(self.package / f"a/{plug}.py")}}})

    def write(self, name: str, text: str = "text") -> None:
        (self.root / name).parent.mkdir(parents=True, exist_ok=True)
        (self.root / name).write_text(text)


@pytest.fixture
def project(tmp_path, monkeypatch):
    original = kept.compiler
    original.cache_clear()
    project = Project(tmp_path, monkeypatch)
    project.forget = original.cache_clear
    memo = memos.Memo(tmp_path / "config")
    assert not memo.complete
    for name in ("one", "two"):
        memo.add(name, [f"{name} may be short"], name == "one")
    project.write("config/studies/f/one.yaml", STUDY)
    memo.add("one", ["one may be short"], True)
    memo.plugs = {f"a/{plug}": {f"a/{plug}.py": kept.sum_of(tmp_path / f"assay/a/{plug}.py")} for plug in "pq"}
    memo.save({"a/q.py": memo.plugs["a/q"]["a/q.py"]}, 2, "judged before")
    yield project
    original.cache_clear()


def test_a_check_of_what_did_not_change_says_what_it_said(project):
    found = memos.Memo(project.root / "config")
    assert found.complete
    assert found.found == (
        [],
        ["one may be short", "two may be short"],
        "1 studies were judged before",
        {"studies": 2, "scales": 1, "plugs": 2},
    )


@pytest.mark.parametrize(
    ("file", "sound"),
    [
        ("config/studies/f/one.yaml", {"two"}),
        ("config/studies/f/three.yaml", {"one", "two"}),
        ("config/studies/g/one.yaml", None),
        ("config/frozen/ci/two.json", {"one"}),
        ("config/frozen/before.json", set()),
        ("config/scales/ci.yaml", set()),
        ("config/scales/big.yaml", set()),
        ("config/papers.json", set()),
        ("assay/a/p.py", {"two"}),
        ("assay/a/q.py", set()),  # which the scale names
        ("assay/a/b/p.py", set()),
        ("assay/language/x.py", set()),
        ("assay/cli/looking.py", set()),
    ],
)
def test_what_changed_is_checked_again(project, file, sound):
    project.write(file, "another text")
    project.forget()
    memo = memos.Memo(project.root / "config")
    assert not memo.complete
    if sound is not None:
        assert set(memo.sound) == sound


WORDED = {
    "a comment": ("# why\n" + STUDY, True),
    "other spaces and quotes": (
        "question: 'Is it so?'\narms:\n  'erm': {}\n  mixup: {alpha: 1}\nmargin:   0.1\nnotes: None.",
        True,
    ),
    "another question": (STUDY.replace("Is it so?", "Is it ... \N{SNOWMAN}?"), True),
    "other notes": (STUDY.replace("None.", ">\n  Some.\n\n  And more."), True),
    "no question": (STUDY.replace("question: Is it so?\n", ""), False),
    "an empty question": (STUDY.replace("Is it so?", "''"), False),
    "a question that is a number": (STUDY.replace("Is it so?", "1"), False),
    "a question that is none": (STUDY.replace("Is it so?", ""), False),
    "a question with half a character": (STUDY.replace("Is it so?", '"\\ud83d"'), False),
    "notes that are a list": (STUDY.replace("None.", "[some, more]"), False),
    "prose under another key": (STUDY.replace("notes:", "note:"), False),
    "a number": (STUDY.replace("0.1", "0.2"), False),
    "a number that is no longer whole": (STUDY.replace("1}", "1.0}"), False),
    "a number as text": (STUDY.replace("0.1", "'0.1'"), False),
    "another order, in which another arm is first": (
        "question: Is it so?\narms: {mixup: {alpha: 1}, erm: {}}\nmargin: 0.1\nnotes: None.\n",
        False,
    ),
    "a key twice": (STUDY + "margin: 0.1\n", False),
    "no YAML": (STUDY + "]", False),
}


@pytest.mark.parametrize("change", WORDED)
def test_a_text_that_reads_as_the_same_data_is_as_right_as_it_was(project, change):
    text, same = WORDED[change]
    path = project.root / "config/studies/f/one.yaml"
    times = path.stat()
    project.write("config/studies/f/one.yaml", text)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))  # as with a clock that was set back
    memo = memos.Memo(project.root / "config")
    assert (memo.complete, memo.reworded, set(memo.sound)) == (same, same, {"one", "two"} if same else {"two"})
    memo.keep()
    again = memos.Memo(project.root / "config")
    assert (again.complete, again.reworded) == (same, False)


PIECES = ("question", "notes", "paper", "expect", "secondary", "margin", "figure", "published", "baseline", "sweep", "revised")
VALUES = (
    "text",
    "''",
    "'\\ud83d'",
    '"\\ud83d"',
    '"\\0"',
    "1",
    "1.5",
    "true",
    "",
    "2026-01-01",
    "[text]",
    "{a: 1}",
    "&a [*a]",
    "]",
)


@pytest.mark.parametrize("key", PIECES)
def test_what_counts_as_right_without_a_look_is_what_the_whole_check_finds_right(tmp_path, key):
    """Any value for each key: where it reads as before, all that is checked and said of the study is what it was."""
    original = study_paths()["mixup"].read_text()
    path = tmp_path / "config/studies/training-recipes/mixup.yaml"
    for folder in (path.parent, tmp_path / "config/scales"):
        folder.mkdir(parents=True)
    path.write_text(original)
    before, files = compile_study(path, "laptop", SCALES["laptop"]), memos._Files(str(tmp_path / "config"))
    wanted = files.data("mixup")
    assert wanted
    for value in VALUES:
        data = yaml.safe_load(original) | {key: "VALUE"}
        path.write_text(yaml.safe_dump(data, sort_keys=False).replace("VALUE", value))
        same = files.data("mixup") == wanted
        try:
            study = compile_study(path, "laptop", SCALES["laptop"])
        except StudyError:
            assert not same
            continue
        said = [(each.judged_digest, each.plan, each.judgement, warnings_of(each), stretched(each)) for each in (study, before)]
        assert not same or said[0] == said[1]
        assert same == (key in memos.PROSE and value in ("text", '"\\0"', "'\\ud83d'"))


def test_a_study_in_another_family_is_checked_again(project):
    project.write("config/studies/g/one.yaml", STUDY)
    (project.root / "config/studies/f/one.yaml").unlink()
    assert set(memos.Memo(project.root / "config").sound) == {"two"}


@pytest.mark.parametrize("damage", ["cut", "empty", "another checksum", "no text"])
def test_where_the_memo_is_damaged_all_is_checked_again(project, damage):
    path = project.root / "kept" / memos.MEMO
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    memo = memos.Memo(project.root / "config")
    assert (memo.sound, memo.plugs, memo.complete) == ({}, {}, False)


def test_a_check_that_finds_nothing_changed_imports_nothing_slow():
    command = [sys.executable, "-m", "assay.cli", "check"]
    first = subprocess.run(command, cwd=WORK, capture_output=True, text=True, check=True).stdout
    run = "import runpy, sys; sys.argv = ['assay', 'check']; runpy.run_module('assay.cli', run_name='__main__')"
    slow = "{'pydantic', 'yaml', 'typer', 'rich', 'numpy', 'pandas', 'torch', 'snakemake'}"
    code = f"import atexit, sys; atexit.register(lambda: print(sorted({slow} & set(sys.modules)), file=sys.stderr)); {run}"
    again = subprocess.run([sys.executable, "-c", code], cwd=WORK, capture_output=True, text=True, check=True)
    assert again.stdout == first
    assert again.stderr == "[]\n"
