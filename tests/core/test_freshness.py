"""Evidence is fresh, unproven or stale, and says why; networks follow the same proofs."""

import json
from types import SimpleNamespace

import pytest
import torch

from assay.evidence import freshness as module
from assay.evidence.freshness import Freshness, freshness
from assay.language.recipes import Recipe
from assay.networks.store import NetworkStore
from assay.provenance import proofs
from assay.provenance.fingerprints import digest
from assay.provenance.proofs import Proof, Proofs, code_digest
from assay.storage.files import sha256, write_atomic

A, B, C, D = ("a" * 16, "b" * 16, "c" * 16, "d" * 16)
CODE = {"assay.training.trainer": B, "assay.augment.mixup": C, "assay.metrics.ece": D, "data/digits.npz": A, "weights/w": A}


@pytest.fixture
def known(monkeypatch):
    """Set what is proven."""

    def prove(*lines: Proof) -> None:
        monkeypatch.setattr(proofs, "committed", lambda: Proofs(lines))

    prove()
    return prove


def change(differing: dict | None = None) -> Proof:
    sums = ("0" * 64, "1" * 64) if differing else ("0" * 64, "0" * 64)
    modules = {"assay.training.trainer": (A, B)}
    return Proof(modules=modules, canaries=("mixup",), sha256=sums, platform="a machine", differing=differing or {})


def found(monkeypatch, made_with: object, plan: str = "d") -> Freshness:
    monkeypatch.setattr(module, "study_code", lambda study: CODE)
    return freshness(SimpleNamespace(digest="d"), {"study_sha256": plan, "code": made_with})


def test_evidence_of_todays_study_and_code_is_fresh(monkeypatch, known):
    assert found(monkeypatch, CODE) == Freshness("fresh", ())


def test_another_plan_is_stale(monkeypatch, known):
    assert found(monkeypatch, CODE, "e") == Freshness("stale", ("what the study measures changed",))


def test_other_code_is_unproven_and_every_module_is_named(monkeypatch, known):
    old = {name: value for name, value in CODE.items() if name != "assay.metrics.ece"}
    old |= {"assay.augment.mixup": B, "assay.augment.cutmix": D}
    assert found(monkeypatch, old) == Freshness(
        "unproven", ("augment/cutmix.py is no longer used", "augment/mixup.py changed", "metrics/ece.py is new")
    )


@pytest.mark.parametrize("file", ["data/digits.npz", "weights/w"])
def test_another_file_to_read_is_stale_since_no_canary_speaks_for_it(monkeypatch, known, file):
    assert found(monkeypatch, {**CODE, file: B}) == Freshness("stale", (f"{file} changed",))
    without = {name: value for name, value in CODE.items() if name != file}
    assert found(monkeypatch, without) == Freshness("unproven", (f"{file} is new",))
    assert found(monkeypatch, {**CODE, "data/more": A}) == Freshness("unproven", ("data/more is no longer used",))


def test_code_proven_to_compute_the_same_is_fresh(monkeypatch, known):
    old = {**CODE, "assay.training.trainer": A}
    assert found(monkeypatch, old).word == "unproven"
    known(change())
    assert found(monkeypatch, old) == Freshness("fresh", ())
    both = {**old, "assay.augment.mixup": A}
    assert found(monkeypatch, both) == Freshness("unproven", ("augment/mixup.py changed",))
    assert found(monkeypatch, old, "e").word == "stale"


def test_what_a_proof_tells_of_other_modules_is_not_named_as_a_change(monkeypatch, known):
    # The proof is of two modules at once, so it says nothing of a fingerprint in which one of them is yet another.
    modules = {"assay.training.trainer": (A, B), "assay.augment.mixup": (A, C)}
    known(Proof(modules=modules, canaries=("mixup",), sha256=("0" * 64, "0" * 64), platform="a machine", differing={}))
    assert found(monkeypatch, {**CODE, "assay.augment.mixup": D}).reasons == ("augment/mixup.py changed",)


def test_code_shown_to_compute_something_else_is_stale_where_the_blamed_plug_is_used(monkeypatch, known):
    old = {**CODE, "assay.training.trainer": A}
    known(change({"mixup": ("augment/mixup",)}))
    said = ("canary mixup came out otherwise (augment/mixup)", "training/trainer.py changed")
    assert found(monkeypatch, old) == Freshness("stale", said)
    known(change({"cutmix": ("augment/cutmix",)}))
    assert found(monkeypatch, old) == Freshness("fresh", ())


@pytest.mark.parametrize("code", [None, "0", {}, ["a"], {"assay.metrics.ece": 3}])
def test_evidence_that_does_not_say_what_it_was_made_with_is_unproven(monkeypatch, known, code):
    assert found(monkeypatch, code).word == "unproven"
    assert len(found(monkeypatch, code).reasons) == len(CODE)


class TestNetworks:
    """Sidecars of an earlier day."""

    @pytest.fixture
    def store(self, tmp_path):
        return NetworkStore(tmp_path, torch.device("cpu"))

    @staticmethod
    def put(store: NetworkStore, recipe, **about) -> None:
        weights = store.weights(recipe, 0)
        write_atomic(weights, b"weights")
        write_atomic(
            store.sidecar(recipe, 0),
            json.dumps({"recipe": recipe.data, "sha256": sha256(weights), "precision": store.precision, **about}),
        )

    def test_made_with_code_that_computes_the_same(self, store, known):
        old, new = {"assay.training.trainer": A}, {"assay.training.trainer": B}
        self.put(store, recipe(), code=old)
        assert store.about(recipe(), 0, digest(old))
        assert store.about(recipe(), 0, digest(new)) is None
        known(change())
        assert store.about(recipe(), 0, code_digest(new))
        self.put(store, recipe(), code=new)
        assert store.about(recipe(), 0, code_digest(new))
        assert store.about(recipe(), 0, code_digest(old))

    @pytest.mark.parametrize("code", [None, "0", {"assay.training.trainer": 3}, []])
    def test_that_does_not_say_with_what_code(self, store, known, code):
        self.put(store, recipe(), code=code)
        assert store.about(recipe(), 0, digest({})) is None
        assert store.about(recipe(), 0)

    def test_that_records_more_is_found_and_one_that_records_less_is_not(self, store):
        self.put(store, recipe(record=["margins"]))
        assert store.about(recipe(), 0)
        self.put(store, recipe())
        assert store.about(recipe(record=["margins"]), 0) is None

    def test_that_was_made_before_a_parameter_came_in(self, store):
        self.put(store, recipe(model={"plug": "models/resnet", "parameters": {"width": 8}}))
        assert store.about(recipe(model={"plug": "models/resnet", "parameters": {"width": 8, "blocks": 1}}), 0)
        assert store.about(recipe(model={"plug": "models/resnet", "parameters": {"width": 8, "blocks": 2}}), 0) is None


def recipe(**changes) -> Recipe:
    plug = {"plug": "models/resnet", "parameters": {}}
    world = {"plug": "worlds/shapes", "parameters": {}}
    budget = {"epochs": 1, "batch": 2}
    plain = {"model": plug, "world": world, "augment": [], "surgery": [], "start": None, "record": [], "budget": budget}
    return Recipe({**plain, "objective": {"plug": "objectives/cross_entropy", "parameters": {}}, **changes})
