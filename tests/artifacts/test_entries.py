"""The archive's manifest: lines that stay as they are, unions of branches, and every way in which a line can be wrong."""

import hashlib
import json
import subprocess
from pathlib import Path

import pytest
from released import commit, git

from assay.artifacts.entries import MANIFEST, Entry, StoredFile, blocks_of, read_entries, write_entries
from assay.errors import ArtifactError
from assay.language.blocks import Block
from assay.storage.places import WORK as ROOT

HERE, ELSEWHERE = "0123abcd", "89abcdef"


def block(study: str, day: int = 1, block: str = "0-4", platform: str = HERE, scale: str = "laptop", **more) -> Entry:
    """The entry of a block that was archived on a day of November."""
    file = StoredFile(md5="a" * 32, sha256="b" * 64, size=7)
    return Entry(
        format=1,
        key=f"{scale}/studies/{study}/{block}-{platform}",
        archived=f"2026-11-{day:02}T00:00:00+00:00",
        commit="c" * 40,
        **{"files": {"observations.csv": file}, "plan": "d" * 64} | more,
    )


def card(day: int, size: int = 9) -> Entry:
    files = {"card.json": StoredFile(md5="e" * 32, sha256="f" * 64, size=size)}
    return block("x", day, files=files, plan="").model_copy(update={"key": "laptop/worlds/shapes-0123abcd"})


def manifest(root: Path, *lines: str) -> Path:
    path = root / MANIFEST
    path.write_text("".join(line + "\n" for line in lines))
    return path


def by_key(*entries: Entry) -> dict[str, Entry]:
    return {entry.key: entry for entry in entries}


def refused(root: Path, call=read_entries) -> str:
    with pytest.raises(ArtifactError) as caught:
        call(root)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_before_anything_is_archived_there_are_no_entries(tmp_path):
    assert read_entries(tmp_path) == {}


def test_what_is_written_is_read_again(tmp_path):
    entries = by_key(block("b"), block("a", judgement="ab", cost={"train_core_s": 0.1}), card(1))
    write_entries(entries, tmp_path)
    assert read_entries(tmp_path) == dict(sorted(entries.items()))
    entry = entries["laptop/studies/a/0-4-0123abcd"]
    assert (entry.scale, entry.study, entry.world, entry.block) == ("laptop", "a", None, Block(0, 4))
    assert entry.folder == "archive/laptop/studies/a/0-4-0123abcd"
    assert (card(1).study, card(1).world) == (None, "shapes-0123abcd")


def test_adding_replacing_and_taking_away_leave_all_other_lines_byte_for_byte(tmp_path):
    # Spaced as no version of assay writes it, and yet nobody's to change.
    other = json.dumps(json.loads(block("other").line))
    path = manifest(tmp_path, block("a").line, other)
    assert other != block("other").line
    write_entries(by_key(block("a", day=2), block("z")), tmp_path)
    first, *others = path.read_text().splitlines()
    assert others == [other, block("z").line]
    (gone,) = json.loads(first)["replaces"]
    assert read_entries(tmp_path)[block("a").key] == block("a", day=2, replaces=(gone,))
    assert gone == hashlib.sha256(block("a").line.encode()).hexdigest()[:16]
    write_entries({block("a").key: None}, tmp_path)
    assert path.read_text().splitlines() == [other, block("z").line]


def branches(root: Path, *additions: list[Entry]) -> subprocess.CompletedProcess:
    """Branches that each add entries to one commit, merged by git as the project's own attributes tell it to."""
    (root / ".gitattributes").write_bytes((ROOT / ".gitattributes").read_bytes())
    git(root, "init", "-q", "-b", "main")
    write_entries(by_key(block("m")), root)
    commit(root)
    for number, entries in enumerate(additions):
        git(root, "checkout", "-q", "-b", f"branch-{number}", "main")
        write_entries(by_key(*entries), root)
        commit(root)
    for number in range(len(additions) - 1):
        git(root, "merge", "-q", "-m", "both", f"branch-{number}")


def test_merging_two_branches_that_added_studies_is_a_union(tmp_path):
    branches(tmp_path, [block("a"), block("z")], [block("b"), block("y")])
    assert [entry.study for entry in read_entries(tmp_path).values()] == ["a", "b", "m", "y", "z"]


def test_a_block_that_two_branches_archived_anew_has_to_be_chosen_by_somebody(tmp_path):
    branches(tmp_path, [block("m", day=2)], [block("m", day=3)])
    assert refused(tmp_path) == (
        "archive.jsonl:2: a second entry for laptop/studies/m/0-4-0123abcd (the first is in line 1); keep one of the two lines"
    )
    assert "keep one of the two lines" in refused(tmp_path, lambda root: write_entries(by_key(block("n")), root))


@pytest.mark.parametrize("new", [block("m", day=2), block("m", day=2, withdrawn="a bug"), card(2, size=3)])
def test_a_line_that_was_replaced_does_not_come_back_by_merging(tmp_path, new):
    """Git's union of two branches keeps both sides of a place that one changed and the other added beside."""
    old = card(1) if new.world else block("m")
    (tmp_path / ".gitattributes").write_bytes((ROOT / ".gitattributes").read_bytes())
    git(tmp_path, "init", "-q", "-b", "main")
    write_entries(by_key(old), tmp_path)
    commit(tmp_path)
    git(tmp_path, "checkout", "-q", "-b", "replacing")
    write_entries(by_key(new.model_copy(update={"commit": "e" * 40})), tmp_path)
    write_entries(by_key(new), tmp_path)
    commit(tmp_path)
    git(tmp_path, "checkout", "-q", "main")
    write_entries(by_key(block("l"), block("n")), tmp_path)
    commit(tmp_path)
    git(tmp_path, "merge", "-q", "-m", "both", "replacing")
    path = tmp_path / MANIFEST
    assert old.line in path.read_text().splitlines()
    found = read_entries(tmp_path)[old.key]
    assert found == new.model_copy(update={"replaces": found.replaces})
    assert len(found.replaces) == 2
    write_entries(by_key(block("o")), tmp_path)
    assert old.line not in path.read_text().splitlines()


@pytest.mark.parametrize("days", [(2, 3), (3, 2)])
def test_a_world_that_two_branches_drew_a_card_of_has_the_one_archived_first(tmp_path, days):
    branches(tmp_path, [block("a"), card(days[0], size=days[0])], [block("b"), card(days[1], size=days[1])])
    assert len(set((tmp_path / MANIFEST).read_text().splitlines())) == 5  # git repeats what lies between two changes
    assert read_entries(tmp_path)[card(1).key] == card(2, size=2)
    write_entries(by_key(block("c")), tmp_path)
    assert (tmp_path / MANIFEST).read_text().count(card(1).key) == 1


def test_two_equal_lines_are_one_entry(tmp_path):
    path = manifest(tmp_path, block("a").line, block("a").line)
    assert list(read_entries(tmp_path).values()) == [block("a")]
    write_entries(by_key(block("b")), tmp_path)
    assert path.read_text().splitlines() == [block("a").line, block("b").line]


def changed(**changes) -> str:
    return json.dumps(json.loads(block("a").line) | changes)


RESTORE = "; restore it: git checkout archive.jsonl"
WRONG = {
    "half-written": (block("a").line[:-9], 'archive.jsonl:2: no entry but \'{"archived":'),
    "empty": ("", "archive.jsonl:2: no entry but ''"),
    "a mark of a conflict": ("<<<<<<< HEAD", "archive.jsonl:2: no entry but '<<<<<<< HEAD'"),
    "no mapping": ("[1]", "archive.jsonl:2: key '': input should be"),
    "another version": (changed(format=2), "archive.jsonl:2: key 'format': 2 (allowed: 1); it is of another version of assay"),
    "a foreign object": ('{"name": "x"}', "archive.jsonl:2: key 'format': None (allowed: 1)"),
    "a key of another version": (changed(signature="x"), "archive.jsonl:2: key 'signature': extra inputs are not permitted"),
    "a folder further up": (changed(key="../../x/studies/a/0-4-0123abcd"), "archive.jsonl:2: key 'key': string should match"),
    "a file further up": (changed(files={"../x.csv": {}}), "archive.jsonl:2: key 'files."),
    "no checksum": (
        changed(files={"observations.csv": {"md5": "a" * 32, "sha256": "?", "size": 1}}),
        "archive.jsonl:2: key 'files.observations.csv.sha256': string should match",
    ),
    "a number for a commit": (changed(commit=7), "archive.jsonl:2: key 'commit': input should be a valid string"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_line_that_is_no_entry_is_named_and_nothing_is_written(tmp_path, name):
    line, said = WRONG[name]
    path = manifest(tmp_path, block("0").line, line)
    before = path.read_bytes()
    message = refused(tmp_path)
    assert message.startswith(said)
    assert message.endswith(RESTORE) == ("another version of assay" not in message)
    assert refused(tmp_path, lambda root: write_entries(by_key(block("b")), root)) == message
    assert path.read_bytes() == before


def test_a_manifest_that_is_no_text_is_named(tmp_path):
    (tmp_path / MANIFEST).write_bytes(b"\x80\x04")
    assert refused(tmp_path).startswith("archive.jsonl: cannot be read (")
    (tmp_path / MANIFEST).unlink()
    (tmp_path / MANIFEST).mkdir()
    assert refused(tmp_path).startswith("archive.jsonl: cannot be read (")


def test_of_several_platforms_the_one_archived_first_comes_first_each_with_its_blocks_in_order():
    entries = [
        block("a", 3, "5-9"),
        block("a", 2, "0-4", ELSEWHERE),
        block("a", 3, "10-14"),
        block("a", 3, "0-4"),
        block("a", 1, "0-4", "77777777", withdrawn="wrong"),
        block("a", 1, "0-4", "66666666", scale="gpu"),
        block("ab", 1),
    ]
    found = blocks_of(entries, "laptop", "a")
    assert {name: [entry.block.name for entry in each] for name, each in found.items()} == {
        ELSEWHERE: ["0-4"],
        HERE: ["0-4", "5-9", "10-14"],
    }
    assert list(found) == [ELSEWHERE, HERE]


def test_the_entries_of_some_studies_are_all_but_those_of_others(tmp_path):
    retired = block("b").model_copy(update={"key": "laptop/retired/b/0123abcd", "files": {}, "seen": 5})
    entries = by_key(block("a"), block("b"), block("b", block="5-9"), block("b-2"), retired, card(1))
    write_entries(entries, tmp_path)
    path = tmp_path / MANIFEST
    spaced = path.read_text().replace('"key":"laptop/studies/b-2', '"key": "laptop/studies/b-2')  # by hand: kept
    path.write_text(spaced)
    everything = read_entries(tmp_path)
    assert {entry.study or entry.retired for entry in read_entries(tmp_path, ["b"]).values()} == {"b", "b-2", None}
    assert read_entries(tmp_path, ["b"]) == {key: entry for key, entry in everything.items() if "/a/" not in key}
    assert list(read_entries(tmp_path, [])) == ["laptop/studies/b-2/0-4-0123abcd", "laptop/worlds/shapes-0123abcd"]
