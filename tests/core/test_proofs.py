"""Proofs: a fingerprint is taken back along what is proven, and along nothing else; a damaged file is one line."""

import hashlib
import json
import random

import pytest

from assay.errors import EvidenceError
from assay.provenance import proofs
from assay.provenance.fingerprints import digest
from assay.provenance.proofs import Proof, Proofs, add, code_digest, committed, oldest, read

TRAINER, RESNET, MIXUP, HELPER = "assay.training.trainer", "assay.models.resnet", "assay.augment.mixup", "assay.models._blocks"


def h(number: int) -> str:
    return f"{number:016x}"


def proof(modules: dict[str, tuple[int | None, int | None]], **more) -> Proof:
    """A proof of changes given as small numbers; equal unless it says what differs."""
    hashes = {name: tuple(None if side is None else h(side) for side in sides) for name, sides in modules.items()}
    sums = ("0" * 64, "1" * 64) if more.get("differing") else ("0" * 64, "0" * 64)
    return Proof(modules=hashes, canaries=("mixup",), sha256=sums, platform="a machine", **more)


def code(**modules: int) -> dict[str, str]:
    names = {"trainer": TRAINER, "resnet": RESNET, "mixup": MIXUP, "helper": HELPER}
    return {names[name]: h(number) for name, number in modules.items()}


def test_a_fingerprint_is_taken_back_change_by_change():
    known = Proofs((proof({TRAINER: (2, 3)}), proof({TRAINER: (1, 2), RESNET: (7, 8)})))
    assert known.oldest(code(trainer=3, resnet=8)) == code(trainer=1, resnet=7)
    assert known.oldest(code(trainer=1, resnet=7)) == code(trainer=1, resnet=7)
    assert known.oldest(code(trainer=3, mixup=5)) == code(trainer=1, mixup=5)  # what has no resnet met no change of it
    assert known.oldest(code(trainer=3, resnet=9)) == code(trainer=2, resnet=9)  # a resnet nobody tried with it
    assert known.oldest(code(resnet=9)) == code(resnet=9)
    assert known.oldest({}) == {}


def test_modules_that_came_and_went():
    known = Proofs((proof({RESNET: (1, 2), HELPER: (None, 5)}),))
    assert known.oldest(code(trainer=9, resnet=2, helper=5)) == code(trainer=9, resnet=1)
    assert known.oldest(code(resnet=2, helper=6)) == code(resnet=2, helper=6)
    known = Proofs((proof({RESNET: (1, 2), HELPER: (5, None)}, users={HELPER: (RESNET,)}),))
    assert known.oldest(code(trainer=9, resnet=2)) == code(trainer=9, resnet=1, helper=5)
    assert known.oldest(code(trainer=9, mixup=2)) == code(trainer=9, mixup=2)


def test_a_change_taken_back_is_one_class_wherever_it_is_entered():
    known = Proofs((proof({TRAINER: (1, 2)}), proof({TRAINER: (2, 1)}), proof({TRAINER: (1, 3)})))
    found = [known.oldest(code(trainer=number, mixup=4)) for number in (1, 2, 3)]
    assert found[0] == found[1] == found[2]


def test_the_oldest_does_not_depend_on_the_order_of_lines():
    lines = [proof({TRAINER: (number, number + 1)}) for number in range(1, 9)] + [proof({MIXUP: (4, 5), RESNET: (1, 2)})]
    for seed in range(20):
        random.Random(seed).shuffle(lines)
        assert Proofs(tuple(lines)).oldest(code(trainer=9, mixup=5, resnet=2)) == code(trainer=1, mixup=4, resnet=1)


def test_a_difference_holds_for_what_shares_the_blamed_plug_and_is_an_equality_for_the_rest():
    known = Proofs((proof({TRAINER: (1, 2)}, differing={"mixup": ("augment/mixup",)}),))
    with_it, without = code(trainer=2, mixup=4, resnet=5), code(trainer=2, resnet=5)
    assert known.oldest(without) == code(trainer=1, resnet=5)
    assert known.oldest(with_it) == with_it
    assert known.refutation(code(trainer=1, mixup=4, resnet=5), with_it) == ["canary mixup came out otherwise (augment/mixup)"]
    assert known.refutation(code(trainer=1, resnet=5), without) == []
    assert known.refutation(code(trainer=1, mixup=3, resnet=5), with_it) == []  # mixup changed too, and of that nothing is known
    assert known.refutation(with_it, with_it) == []


def test_a_difference_counts_through_what_is_equal_before_and_after_it():
    lines = (
        proof({TRAINER: (1, 2)}),
        proof({TRAINER: (2, 3)}, differing={"mixup": ("augment/mixup",)}),
        proof({TRAINER: (3, 4)}),
    )
    assert Proofs(lines).refutation(code(trainer=1, mixup=4), code(trainer=4, mixup=4)) != []
    assert Proofs(lines).refutation(code(trainer=2, mixup=4), code(trainer=4, mixup=4)) != []
    assert Proofs(lines).refutation(code(trainer=3, mixup=4), code(trainer=4, mixup=4)) == []
    assert Proofs(lines).refutation(code(trainer=1, mixup=4), code(trainer=2, mixup=4)) == []


def test_a_difference_seen_on_one_platform_outweighs_equality_on_another():
    known = Proofs((proof({TRAINER: (1, 2)}), proof({TRAINER: (1, 2)}, differing={"mixup": ("augment/mixup",)})))
    assert known.oldest(code(trainer=2, mixup=4)) == code(trainer=2, mixup=4)
    assert known.oldest(code(trainer=2, resnet=4)) == code(trainer=1, resnet=4)


def test_the_file_is_sorted_and_merges_as_a_union(tmp_path):
    first, second, third = proof({TRAINER: (1, 2)}), proof({TRAINER: (2, 3)}), proof({MIXUP: (1, 2)})
    ours, theirs, both = (tmp_path / name for name in ("ours", "theirs", "both"))
    add([first, second], ours)
    add([third], theirs)
    add([first], theirs)
    lines = set(ours.read_text().splitlines()) | set(theirs.read_text().splitlines())
    both.write_text("".join(f"{line}\n" for line in sorted(lines)))
    assert {proof.line for proof in read(both).proofs} == {first.line, second.line, third.line}
    before = both.read_bytes()
    add([third, first], both)
    assert both.read_bytes() == before
    assert read(tmp_path / "none") == Proofs()


def line(**changes) -> str:
    text = json.dumps({**json.loads(proof({TRAINER: (1, 2)}).line[17:]), **changes}, sort_keys=True)
    return f"{hashlib.sha256(text.encode()).hexdigest()[:16]} {text}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<<<<<<< HEAD", "proofs.txt:1: its checksum is not that of its text"),
        (proof({TRAINER: (1, 2)}).line.replace(h(2), h(3)), "proofs.txt:1: its checksum is not that of its text"),
        ("", "proofs.txt:1: its checksum is not that of its text"),
        (line(format=2), "proofs.txt:1: format 2 is not known here (known: 1); use a later assay"),
        (line(format=True), "proofs.txt:1: format True is not known here"),
        (line(modules={}), "proofs.txt:1: no proof ("),
        (line(modules={TRAINER: ["1", "2"]}), "proofs.txt:1: no proof ("),
        (line(more=1), "proofs.txt:1: no proof ("),
        (line(sha256=["0" * 64, "1" * 64]), "proofs.txt:1: no proof ("),
        (line(differing={"mixup": ["augment/mixup"]}), "proofs.txt:1: no proof ("),
        (f"{hashlib.sha256(b'[1]').hexdigest()[:16]} [1]", "proofs.txt:1: no proof ("),
        (f"{hashlib.sha256(b'{').hexdigest()[:16]} {{", "proofs.txt:1: no proof ("),
    ],
)
def test_a_file_edited_by_hand_is_one_line(tmp_path, text, said):
    path = tmp_path / "proofs.txt"
    path.write_text(f"{text}\n")
    with pytest.raises(EvidenceError) as caught:
        read(path)
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)


def test_a_merge_may_leave_lines_twice_and_in_any_order(tmp_path):
    path = tmp_path / "proofs.txt"
    first, second = sorted((line(), line(platform="b")))
    path.write_text(f"{second}\n{first}\n{second}\n")
    assert {each.line for each in read(path).proofs} == {first, second}
    add((), path)
    assert path.read_text() == f"{first}\n{second}\n"


def test_bytes_that_are_no_text_are_one_line(tmp_path):
    (tmp_path / "proofs.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(EvidenceError, match=r"^proofs.txt: cannot be read \(.*\); restore it: git checkout proofs.txt$"):
        read(tmp_path / "proofs.txt")


def test_the_committed_file_is_what_digests_follow(tmp_path, monkeypatch):
    monkeypatch.setattr(proofs, "FILE", tmp_path / "proofs.txt")
    committed.cache_clear()
    new, old = code(trainer=2, mixup=4), code(trainer=1, mixup=4)
    assert code_digest(new) == digest(new)
    add([proof({TRAINER: (1, 2)})], tmp_path / "proofs.txt")
    assert oldest(new) == old
    assert code_digest(new) == code_digest(old) == digest(old)
    committed.cache_clear()


def test_the_proofs_of_this_checkout_can_be_read():
    assert isinstance(committed(), Proofs)
