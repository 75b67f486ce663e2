"""Files of strangers are data: reading them runs nothing, whatever their names say, and ends in one line if they are not what
they should be."""

import io
import json
import pickle
import zipfile

import numpy as np
import pytest
import torch

from assay.errors import AssayError, EvidenceError, StudyError
from assay.evidence import tables
from assay.evidence.tables import read_arrays, read_evidence
from assay.language.expectations import parse as parse_expectation
from assay.language.inputs import read_yaml
from assay.language.recipes import Recipe
from assay.networks.store import NetworkStore
from assay.pipeline.preflight import JobFiles, Preflight
from assay.storage.files import read_json, sha256
from assay.storage.receipts import Receipt


class Bomb:
    """Unpickled, it leaves a trace."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return open, (str(self.trace), "w")


def npz(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", content)
    return buffer.getvalue()


def npy(header: str, data: bytes = b"") -> bytes:
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


def hostile(trace):
    """Bytes that would run code, or take all memory, in a reader that trusts them."""
    objects = io.BytesIO()
    np.save(objects, np.array([Bomb(trace)], dtype=object), allow_pickle=True)
    torch_file = io.BytesIO()
    torch.save({"a": Bomb(trace)}, torch_file)
    return {
        "pickle": pickle.dumps(Bomb(trace)),
        "torch": torch_file.getvalue(),
        "object array": npz(objects.getvalue()),
        "pickle in npz": npz(pickle.dumps(Bomb(trace))),
        "array beyond memory": npz(npy("{'descr': '<f8', 'fortran_order': False, 'shape': (10000000000000,), }")),
        "call in a header": npz(npy(f"{{'descr': open({str(trace)!r}, 'w'), 'fortran_order': False, 'shape': (1,), }}")),
        "deep JSON": b"[" * 200_000,
        "long number": b'{"networks": ' + b"9" * 10_000 + b"}",
    }


KINDS = tuple(hostile("x"))


@pytest.fixture(params=KINDS)
def content(request, tmp_path):
    """Hostile bytes; after the test nothing of theirs has run."""
    trace = tmp_path / "trace"
    yield hostile(trace)[request.param]
    assert not trace.exists()


def test_a_reader_that_trusts_would_run_the_bombs(tmp_path):
    trace = tmp_path / "trace"
    pickle.loads(hostile(trace)["pickle"])
    assert trace.exists()


def test_arrays(tmp_path, content):
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(EvidenceError, match=r"a\.npz: arrays cannot be read") as caught:
        read_arrays(tmp_path / "a.npz")
    assert "\n" not in str(caught.value)


def test_an_archive_of_arrays_that_unpacks_to_more_than_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "MOST_BYTES", 10_000)
    (tmp_path / "a.npz").write_bytes(tables.pack_arrays({"a": np.zeros(2000)}))
    assert (tmp_path / "a.npz").stat().st_size < 1000
    with pytest.raises(EvidenceError, match=r"a\.npz: arrays cannot be read \(they unpack to 16128 bytes"):
        read_arrays(tmp_path / "a.npz")


def test_evidence(tmp_path, content):
    for name in ("observations.csv", "arrays.npz"):
        (tmp_path / name).write_bytes(content)
    sums = {"sha256": sha256(tmp_path / "observations.csv"), "arrays_sha256": sha256(tmp_path / "arrays.npz")}
    (tmp_path / "provenance.json").write_text(json.dumps(sums))
    with pytest.raises(EvidenceError):
        read_evidence(tmp_path)
    (tmp_path / "provenance.json").write_bytes(content)
    with pytest.raises(EvidenceError, match=r"provenance\.json"):
        read_evidence(tmp_path)


def test_weights_and_what_vouches_for_them(tmp_path, content):
    plug = {"plug": "models/linear", "parameters": {}}
    recipe = Recipe({"model": plug, "world": plug, "augment": [], "objective": plug, "start": None, "surgery": []})
    store = NetworkStore(tmp_path, torch.device("cpu"))
    store.weights(recipe, 0).parent.mkdir()
    store.weights(recipe, 0).write_bytes(content)
    about = {"sha256": sha256(store.weights(recipe, 0)), "recipe": recipe.data, "input": {}}
    store.sidecar(recipe, 0).write_text(json.dumps(about))
    with pytest.raises(AssayError, match="not a readable safetensors file"):
        store.load(recipe, 0)
    store.sidecar(recipe, 0).write_bytes(content)
    with pytest.raises(AssayError, match="missing, truncated or altered"):
        store.load(recipe, 0)


def test_receipts_and_records_of_snakemake(tmp_path, content):
    results, state = tmp_path / "ci", tmp_path / ".snakemake"
    for path in (
        results / "receipts/judge.json",
        state / "metadata/cmVz",
        state / "incomplete/cmVz",
        state / "iocache/latest.pkl",
    ):
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
    assert Receipt(results / "logs/judge.log").files == {}
    preflight = Preflight(results, state)
    preflight.check([], [])
    assert len(preflight.moved) == 2
    assert (state / "iocache/latest.pkl").exists()


def test_a_receipt_cannot_name_files_elsewhere(tmp_path):
    mine, log = tmp_path / "mine", tmp_path / "ci/logs/judge.log"
    mine.write_text("mine")
    entry = {"sha256": "0", "size": 0, "mtime_ns": 0}
    Receipt(log).path.parent.mkdir(parents=True)
    Receipt(log).path.write_text(json.dumps({"../mine": entry, str(mine): entry, "verdicts.json": 3}))
    preflight = Preflight(tmp_path / "ci", tmp_path / ".snakemake")
    preflight.check([JobFiles((tmp_path / "ci/verdicts.json",), (), log, tmp_path / "ci/benchmarks/judge.tsv")], [])
    assert mine.read_text() == "mine"
    assert preflight.moved == set()


def test_json(tmp_path, content):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(EvidenceError, match=r"a\.json"):
        read_json(tmp_path / "a.json")


LAUGHS = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 60))

YAML = {
    "a call": "!!python/object/apply:os.system ['touch TRACE']",
    "an object": "!!python/object/new:pathlib.Path [TRACE]",
    "a module": "!!python/module:antigravity",
    "a tag": "!mine {a: 1}",
    "a key twice": "a: 1\na: 2",
    "a key twice below": "a: {b: 1, b: 2}",
    "a list as key": "? [a]\n: 1",
    "laughs": LAUGHS,
    "a circle": "a: &a [*a]",
    "depth": "a: " + "[" * 100_000,
    "a long number": "a: " + "9" * 10_000,
    "no text": "a: \udc80",
}


@pytest.mark.parametrize("what", YAML)
def test_study_files(tmp_path, what):
    path, trace = tmp_path / "study.yaml", tmp_path / "trace"
    path.write_text(YAML[what].replace("TRACE", str(trace)), errors="surrogateescape")
    with pytest.raises(StudyError, match=r"study\.yaml") as caught:
        read_yaml(path)
    assert "\n" not in str(caught.value)
    assert not trace.exists()


def test_anchors_that_stay_small_are_read(tmp_path):
    (tmp_path / "study.yaml").write_text("a: &a [1, 2]\nb: *a\nc: {<<: {d: 1}, e: *a}")
    assert read_yaml(tmp_path / "study.yaml") == {"a": [1, 2], "b": [1, 2], "c": {"d": 1, "e": [1, 2]}}


@pytest.mark.parametrize(
    "text",
    [
        "a.__class__.__mro__ > 0",
        "a.top1.__init__ > 0",
        "exec('x').a > 0",
        "a.top1[__import__('os')] > 0",
        "[a.top1 for a in b] > 0",
        "(x := a.top1) > 0",
        "f'{a.top1}' > 0",
        "a.top1 > 1" + "0" * 400,
        "a.top1 > 9" + "9" * 400 + " ** 9",
        "(" * 240 + "a.top1" + ")" * 240 + " > 0 and x",
        "a.top1 > " + "-" * 480 + "1",
        "a.top1 > 0; import os",
        "a.top1 > 0\nimport os",
        "*a.top1 > 0",
        "await a.top1 > 0",
    ],
)
def test_expectations_are_a_grammar_not_a_program(text):
    with pytest.raises(StudyError):
        parse_expectation(text)
