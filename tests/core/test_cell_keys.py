"""Keys of measured cells: the same each time, and another one where anything that a cell rests on is another; bundles with it."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from cell_cases import BLOCK, everywhere, quiet

from assay.language import draws
from assay.language.blocks import Block
from assay.language.recipes import Recipe
from assay.language.studies import load_studies
from assay.networks.jobs import train_bundle
from assay.networks.store import NetworkStore
from assay.pipeline import cells
from assay.pipeline.cells import cell_keys
from assay.provenance import fingerprints, proofs

CPU = torch.device("cpu")

# Keys


def networks_of(study, seeds=10):
    return {
        (recipe, seed): {"sha256": f"{recipe.name}/{seed}", "input": {"size": 16}}
        for recipe in study.recipes
        for seed in range(seeds)
    }


def stored(networks, device=CPU, precision="float32"):
    return SimpleNamespace(device=device, precision=precision, about=lambda recipe, seed: networks.get((recipe, seed)))


@pytest.fixture
def keys(study):
    """The keys of the study's cells where nothing is changed but what is given."""

    def made(study=study, block=BLOCK, threads=1, **given):
        fingerprints._code.cache_clear()
        return cell_keys(study, block, stored(**{"networks": networks_of(study), **given}), threads)

    yield made
    fingerprints._code.cache_clear()  # what tests say of the code is not so for the next


def differing(one, other):
    return {label for label in one.keys() | other.keys() if one.get(label) != other.get(label)}


def test_keys_are_the_same_each_time_and_of_one_cell_each(study, keys):
    assert keys() == keys()
    assert len(set(keys().values())) == len(study.cells)


def test_keys_depend_on_repetitions_threads_and_precision(study, keys):
    changes = [
        {"block": Block(0, 2)},
        {"block": Block(2, 3)},
        {"threads": 2},
        {"precision": "bfloat16"},
    ]
    assert all(differing(keys(), keys(**change)) == everywhere(study) for change in changes)


def test_keys_depend_on_repetitions_where_networks_do_not_tell(study, keys):
    """As where a protocol trains inside."""
    same = {key: {"sha256": "same", "input": {}} for key in networks_of(study)}
    assert differing(keys(networks=same), keys(networks=same, block=Block(2, 3))) == everywhere(study)


def test_keys_depend_on_draws(study, keys):
    judged = keys()
    with draws.drawing("trial"):
        assert differing(judged, keys()) == everywhere(study)


@pytest.mark.parametrize("package", ["torch", "scikit-image", "python"])
def test_keys_depend_on_versions(study, keys, monkeypatch, package):
    before, found = keys(), cells.versions()
    monkeypatch.setattr(cells, "versions", lambda: {**found, package: "0.0"})
    assert differing(before, keys()) == everywhere(study)


@pytest.mark.parametrize("name", ["features", "vendor", "device", "machine"])
def test_keys_depend_on_the_platform(study, keys, monkeypatch, name):
    before, here = keys(), cells.platform_here
    monkeypatch.setattr(cells, "platform_here", lambda *given: {**here(*given), name: "other"})
    assert differing(before, keys()) == everywhere(study)


def test_keys_depend_on_what_the_cell_measures(study, keys):
    first = study.cells[0]
    protocol = {**first.protocol, "parameters": {**first.protocol["parameters"], "new": 1}}
    recipe = Recipe({**first.recipe.data, "budget": {**first.recipe.data["budget"], "epochs": 7}})
    for changed in (replace(first, protocol=protocol), replace(first, x=1)):
        found = cell_keys(replace(study, cells=(changed, *study.cells[1:])), BLOCK, stored(networks_of(study)), 1)
        assert differing(keys(), found) == {first.label, changed.label}
    other = replace(study, cells=(replace(first, recipe=recipe), *study.cells[1:]))
    assert differing(keys(), cell_keys(other, BLOCK, stored(networks_of(study) | networks_of(other)), 1)) == {first.label}
    assert differing(keys(), keys(study=replace(study, name="another"))) == everywhere(study)


@pytest.mark.parametrize("name", ["adversarial_shape_bias", "patient_teacher", "imagenet_a"])
def test_keys_depend_on_the_weights_of_the_cells_networks_and_of_those_behind_them(keys, name):
    """Those of arms, of teachers, and of networks that the protocol asks."""
    study = load_studies("ci", only=[name])[name]
    before = keys(study=study, networks=networks_of(study))
    for recipe in study.recipes:
        concerned = {cell.label for cell in study.cells for used in cell.recipes if recipe in used.ancestry()}
        assert concerned
        for change in ({"sha256": "other"}, {"input": {"size": 17}}):
            networks = networks_of(study)
            networks[recipe, 1] = {**networks[recipe, 1], **change}
            assert differing(before, keys(study=study, networks=networks)) == concerned
        networks = networks_of(study)
        networks[recipe, 1] |= {"core_seconds": 7.0, "code": {}}
        assert keys(study=study, networks=networks) == before


def test_a_cell_without_its_networks_has_no_key(study, keys):
    networks = networks_of(study)
    del networks[study.cells[0].recipe, 1]
    assert study.cells[0].label not in keys(networks=networks)


def test_keys_depend_on_the_code_of_the_cell_alone(study, keys, monkeypatch):
    """Of every module that a cell rests on; modules of one arm's method leave the others alone."""
    before, concerned = keys(), {}
    hashed = fingerprints.code_hash
    for module in code_of(study):
        monkeypatch.setattr(fingerprints, "code_hash", lambda name, m=module: "0" * 16 if name == m else hashed(name))
        concerned[module] = differing(before, keys())
    assert all(concerned.values())
    behind = {module: {cell.label for cell in study.cells if module in code_of(cells.alone(study, cell))} for module in concerned}
    assert concerned == behind
    assert concerned["assay.measuring.observing"] == concerned["assay.protocols.cue_conflict"] == everywhere(study)
    assert any(found != everywhere(study) for found in concerned.values())


def code_of(study):
    return cells.study_code(study)


def test_code_that_is_proven_to_compute_the_same_changes_no_key(study, keys, monkeypatch):
    before, hashed, known = keys(), fingerprints.code_hash, proofs.committed()
    module = "assay.protocols.cue_conflict"
    proof = proofs.Proof(
        modules={module: (hashed(module), "0" * 16)}, canaries=("some",), sha256=("1" * 64,) * 2, platform="here"
    )
    monkeypatch.setattr(fingerprints, "code_hash", lambda name: "0" * 16 if name == module else hashed(name))
    assert differing(before, keys()) == everywhere(study)
    monkeypatch.setattr(proofs, "committed", lambda: proofs.Proofs((*known.proofs, proof)))
    assert keys() == before


def test_keys_depend_on_data_sets(tmp_path, monkeypatch):
    monkeypatch.setenv("ASSAY_DATASETS", str(tmp_path))
    world = {"plug": "worlds/cifar10", "parameters": {}}
    recipe = SimpleNamespace(data={"world": world}, ancestry=lambda: iter([recipe]))
    own = SimpleNamespace(cells=[SimpleNamespace(recipe=recipe, protocol={})], recipes=[])
    found = [cells._data_sets(own)]
    for content in ("{}", '{"identity": "1"}'):
        (tmp_path / "cifar10.json").write_text(content)
        found.append(cells._data_sets(own))
    assert [list(each) for each in found] == 3 * [["cifar10"]]
    assert len({str(each) for each in found}) == 3


def test_of_a_bundle_only_the_networks_with_other_code_are_trained_again(tmp_path, monkeypatch):
    """One edited method, in a job of several recipes."""
    study = load_studies("ci", only=["mixup"])["mixup"]
    plain, mixed = (
        next(cell.recipe for cell in study.cells if bool(cell.recipe.data["augment"]) is has) for has in (False, True)
    )
    store, trained = NetworkStore(tmp_path, CPU), []
    save = store.save
    monkeypatch.setattr(store, "save", lambda recipe, seed, *given: trained.append((recipe, seed)) or save(recipe, seed, *given))

    def run():
        trained.clear()
        fingerprints._code.cache_clear()
        train_bundle([plain, mixed], range(2), store, tmp_path / "manifest.json", quiet)
        return set(trained), {seed: store.weights(plain, seed).read_bytes() for seed in range(2)}

    everything, weights = run()
    assert everything == {(recipe, seed) for recipe in (plain, mixed) for seed in range(2)}
    hashed = fingerprints.code_hash
    monkeypatch.setattr(fingerprints, "code_hash", lambda name: "0" * 16 if name == "assay.augment.mixup" else hashed(name))
    assert run() == ({(mixed, 0), (mixed, 1)}, weights)
    assert run() == (set(), weights)
