"""Cells that were measured before: what is taken over is what measuring all would give, and nothing else ever is."""

import json
import os
import runpy
import shutil
import time
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from cell_cases import BLOCK, STUDIES, everywhere, quiet

from assay.errors import TrainingError
from assay.evidence.tables import FILES, code_digest, read_evidence
from assay.measuring import observing
from assay.networks.jobs import train_bundle
from assay.networks.store import NetworkStore
from assay.pipeline import cells, measurement
from assay.pipeline.cells import Kept, cell_keys
from assay.pipeline.measurement import measure_block
from assay.provenance import fingerprints
from assay.storage.places import PROJECT

CPU = torch.device("cpu")

OF_ITS_MAKING = ("cost", "commit", "dirty", "date", "measured_before")


@pytest.fixture(scope="module")
def store(studies, tmp_path_factory):
    torch.set_num_threads(1)
    made = NetworkStore(tmp_path_factory.mktemp("networks"), CPU)
    for study in studies.values():
        train_bundle(study.recipes, BLOCK.repetitions, made, made.folder / f"{study.name}.json", quiet)
    return made


@pytest.fixture(scope="module")
def whole(studies, store, tmp_path_factory):
    """Each study measured whole, and its cells kept: the folder of evidence, and of cells, by study."""
    made = {}
    for name, study in studies.items():
        folders = tmp_path_factory.mktemp(name) / "evidence", tmp_path_factory.mktemp(name) / "cells"
        measure_block(study, BLOCK, store, folders[0], say=quiet, kept=kept_in(folders[1], study))
        made[name] = folders
    return made


def kept_in(folder, study):
    return Kept(folder, code_digest(study))


def bytes_of(folder):
    """Rows and arrays as they are, and all that provenance says but how they came to be."""
    provenance = json.loads((folder / "provenance.json").read_text())
    return (
        *((folder / name).read_bytes() for name in FILES[:2]),
        {name: value for name, value in provenance.items() if name not in OF_ITS_MAKING},
    )


@pytest.fixture
def measuring(monkeypatch):
    """The labels of cells in the order in which they are measured, repetition by repetition."""
    seen = []
    measure = observing._measure
    monkeypatch.setattr(
        observing, "_measure", lambda session, cell, seed: seen.append(cell.label) or measure(session, cell, seed)
    )
    return seen


def forget(folder, labels):
    """Change a kept file so that these cells are known by keys of earlier code."""
    path = folder / "provenance.json"
    about = json.loads(path.read_text())
    for label in labels:
        about["cells"][label]["key"] = "earlier"
    about["cells_sha256"] = cells._sum(about["cells"])
    path.write_text(json.dumps(about))


def keep_again(source, target):
    target.mkdir()
    for path in source.iterdir():
        (target / path.name).write_bytes(path.read_bytes())
    return target


@pytest.mark.parametrize("name", STUDIES)
@pytest.mark.parametrize("which", ["none", "first", "last", "odd", "all"])
def test_rows_arrays_and_provenance_are_those_of_measuring_all(studies, store, whole, measuring, tmp_path, name, which):
    study = studies[name]
    labels = [cell.label for cell in study.cells]
    changed = {"none": [], "first": labels[:1], "last": labels[-1:], "odd": labels[1::2], "all": labels}[which]
    evidence, earlier = whole[name]
    kept = keep_again(earlier, tmp_path / "cells")
    forget(kept, changed)
    measure_block(study, BLOCK, store, tmp_path / "evidence", say=quiet, kept=kept_in(kept, study))
    assert measuring == 2 * changed
    assert bytes_of(tmp_path / "evidence") == bytes_of(evidence)
    assert bytes_of(kept)[:2] == bytes_of(earlier)[:2]
    said = json.loads((tmp_path / "evidence/provenance.json").read_text())
    assert set(said["measured_before"]) == {f"0-1/{label}" for label in labels if label not in changed}


def test_without_a_place_to_keep_them_all_are_measured_and_nothing_is_left(studies, store, whole, measuring, tmp_path):
    study = studies["adversarial_shape_bias"]
    measure_block(study, BLOCK, store, tmp_path / "evidence", say=quiet)
    assert len(measuring) == 2 * len(study.cells)
    assert [path.name for path in tmp_path.iterdir()] == ["evidence"]
    assert bytes_of(tmp_path / "evidence") == bytes_of(whole[study.name][0])


def test_a_cell_says_when_it_was_measured_and_what_it_cost(studies, store, whole, tmp_path, monkeypatch):
    study = studies["adversarial_shape_bias"]
    first, *others = (cell.label for cell in study.cells)
    kept = keep_again(whole[study.name][1], tmp_path / "cells")
    forget(kept, [first])
    before = json.loads((kept / "provenance.json").read_text())["cells"]
    monkeypatch.setattr(measurement, "commit", lambda root: ("f" * 40, False))
    measure_block(study, BLOCK, store, tmp_path / "evidence", say=quiet, kept=kept_in(kept, study))
    about = json.loads((tmp_path / "evidence/provenance.json").read_text())
    after = json.loads((kept / "provenance.json").read_text())["cells"]
    assert about["commit"] == after[first]["made"]["commit"] == "f" * 40
    assert about["measured_before"] == {f"0-1/{label}": before[label]["made"] for label in others}
    assert {label: after[label] for label in others} == {label: before[label] for label in others}
    assert about["cost"]["measure_core_s"] == pytest.approx(sum(each["core_seconds"] for each in after.values()), abs=0.05)


def test_cells_of_arms_that_are_gone_are_not_kept(studies, store, whole, measuring, tmp_path):
    study = studies["adversarial_shape_bias"]
    kept = keep_again(whole[study.name][1], tmp_path / "cells")
    fewer = replace(study, cells=study.cells[:-1])
    measure_block(fewer, BLOCK, store, tmp_path / "evidence", say=quiet, kept=kept_in(kept, fewer))
    assert measuring == []
    assert set(read_evidence(kept).provenance["cells"]) == {cell.label for cell in fewer.cells}
    assert len({row.arm for row in read_evidence(kept).observations}) == len(fewer.cells)


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def of_another_study(path, others):
    path.write_bytes((others[1] / path.name).read_bytes())


def altered(path, change):
    about = json.loads(path.read_text())
    change(about)
    path.write_text(json.dumps(about))


DAMAGES = {
    "rows altered": lambda folder, others: flip(folder / "observations.csv"),
    "rows gone": lambda folder, others: (folder / "observations.csv").unlink(),
    "rows truncated": lambda folder, others: (folder / "observations.csv").write_text(""),
    "arrays altered": lambda folder, others: flip(folder / "arrays.npz"),
    "arrays gone": lambda folder, others: (folder / "arrays.npz").unlink(),
    "provenance gone": lambda folder, others: (folder / "provenance.json").unlink(),
    "provenance truncated": lambda folder, others: (folder / "provenance.json").write_text('{"format"'),
    "a list": lambda folder, others: (folder / "provenance.json").write_text("[]"),
    "notes altered": lambda folder, others: altered(
        folder / "provenance.json", lambda about: next(iter(about["cells"].values()))["data"].update({"0": "0"})
    ),
    "notes gone": lambda folder, others: altered(folder / "provenance.json", lambda about: about.pop("cells")),
    "notes of another kind": lambda folder, others: altered(folder / "provenance.json", lambda about: about.update(cells=[])),
    "another format": lambda folder, others: altered(folder / "provenance.json", lambda about: about.update(format=0)),
    "another study's": lambda folder, others: [of_another_study(path, others) for path in list(folder.iterdir())],
    "another study's rows": lambda folder, others: of_another_study(folder / "observations.csv", others),
    "no folder": lambda folder, others: [path.unlink() for path in folder.iterdir()] and folder.rmdir(),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_damaged_or_foreign_is_measured_anew_and_replaced(studies, store, whole, measuring, tmp_path, damage):
    study = studies["adversarial_shape_bias"]
    kept = keep_again(whole[study.name][1], tmp_path / "cells")
    DAMAGES[damage](kept, whole["mnist_c"])
    measure_block(study, BLOCK, store, tmp_path / "evidence", say=quiet, kept=kept_in(kept, study))
    assert measuring == 2 * [cell.label for cell in study.cells]
    assert bytes_of(tmp_path / "evidence") == bytes_of(whole[study.name][0])
    assert bytes_of(kept)[:2] == bytes_of(whole[study.name][1])[:2]


# What must not be kept


def careless(arm, *, reseed=False):
    """A protocol that draws from torch's own generator."""
    if reseed:
        torch.manual_seed(arm.seed)
    yield "texture_share", torch.rand(()).item()


@pytest.fixture
def with_protocol(monkeypatch, study, store):
    """Measure the study with another protocol, bound for some of the cells; rows, and whether cells are kept after it."""

    def made(protocol, folder, kept, cells=study.cells):
        bound = observing.bind
        odd = {id(cell.protocol) for cell in cells}
        with monkeypatch.context() as patch:
            patch.setattr(observing, "bind", lambda spec, load: protocol if id(spec) in odd else bound(spec, load))
            patch.setattr(type(study), "metrics", dict.fromkeys((*study.metrics, "texture_share"), ""))
            measure_block(study, BLOCK, store, folder, say=quiet, kept=kept_in(kept, study))
        return (folder / "observations.csv").read_bytes(), kept.exists()

    return made


def test_nothing_is_kept_where_numbers_depend_on_the_order_of_cells(with_protocol, tmp_path):
    assert with_protocol(careless, tmp_path / "evidence", tmp_path / "cells")[1] is False
    assert with_protocol(partial(careless, reseed=True), tmp_path / "evidence", tmp_path / "cells")[1] is True


def test_a_cell_that_depends_on_the_order_is_measured_with_all_others(with_protocol, study, whole, measuring, tmp_path):
    """The others were kept when it did not: what is taken over never changes what it draws."""
    kept = keep_again(whole[study.name][1], tmp_path / "cells")
    forget(kept, [study.cells[-1].label])
    rows, there = with_protocol(careless, tmp_path / "evidence", kept, cells=study.cells[-1:])
    assert measuring == 2 * [study.cells[-1].label] + 2 * [cell.label for cell in study.cells]
    assert not there
    assert rows == with_protocol(careless, tmp_path / "again", tmp_path / "nowhere", cells=study.cells[-1:])[0]


def test_reading_networks_draws_nothing(study, store):
    torch.manual_seed(0)
    store.load(study.recipes[0], 0)
    assert torch.equal(torch.get_rng_state(), torch.Generator().manual_seed(0).get_state())


@pytest.mark.parametrize(("when", "kept"), [("never", True), ("before the job", False), ("during the job", False)])
def test_nothing_is_kept_where_code_was_edited_since_the_run_was_planned(study, store, tmp_path, monkeypatch, when, kept):
    paths, edited = fingerprints.module_path, tmp_path / "cue_conflict.py"
    edited.write_text("")
    os.utime(edited, (time.time() + 5,) * 2)
    if when == "during the job":
        monkeypatch.setattr(cells, "module_path", lambda name: edited if name.endswith(".cue_conflict") else paths(name))
    planned = "0" * 16 if when == "before the job" else code_digest(study)
    measure_block(study, BLOCK, store, tmp_path / "evidence", say=quiet, kept=Kept(tmp_path / "cells", planned))
    assert (tmp_path / "cells").exists() is kept


def test_a_failing_cell_leaves_what_was_kept(with_protocol, study, whole, tmp_path):
    def failing(arm):
        raise RuntimeError("no")
        yield

    kept = keep_again(whole[study.name][1], tmp_path / "cells")
    forget(kept, [study.cells[0].label])
    with pytest.raises(RuntimeError):
        with_protocol(failing, tmp_path / "evidence", kept, cells=study.cells[:1])
    (before,) = (kept / "earlier").iterdir()
    left = [read_evidence(folder).provenance["cells"] for folder in (kept, before)]
    assert [set(cells) for cells in left] == [everywhere(study) - {study.cells[0].label}, everywhere(study)]


def test_an_edit_that_is_taken_back_is_measured_again_by_nobody(studies, store, whole, measuring, tmp_path, monkeypatch):
    study = studies["mnist_c"]
    kept, keys_of = kept_in(tmp_path / "cells", study), measurement.cell_keys
    first, *others = (cell.label for cell in study.cells)

    def run(folder, edits):
        measuring.clear()

        def keyed(asked, *given):
            return {label: key + edits.get(label, "") for label, key in keys_of(asked, *given).items()}

        monkeypatch.setattr(measurement, "cell_keys", keyed)
        measure_block(study, BLOCK, store, tmp_path / folder, say=quiet, kept=kept)
        return list(measuring)

    assert len(run("a", {})) == 2 * len(study.cells)
    assert run("b", {first: "edited"}) == [first, first]
    assert run("c", {others[0]: "edited", others[1]: "edited"}) == [*others[:2], *others[:2]]
    for edits in ({}, {first: "edited"}, {}):
        assert run("d", edits) == []
        assert bytes_of(tmp_path / "d") == bytes_of(whole["mnist_c"][0])
    assert len(list((tmp_path / "cells/earlier").iterdir())) == 2  # each once, and the last is no earlier one
    kept.clear()
    for folder in (tmp_path / "cells/earlier").iterdir():
        (folder / "observations.csv").write_bytes(b"")
    assert len(run("e", {})) == 2 * len(study.cells)


@pytest.mark.parametrize(("rule", "folder", "keeps"), [("measure", "observations", True), ("recheck", "recheck", False)])
def test_what_is_measured_to_be_compared_takes_nothing_over(study, tmp_path, monkeypatch, rule, folder, keeps):
    """The job's script, with the measurement itself left out."""
    given = []
    monkeypatch.setattr("assay.pipeline.forwarding.forward", lambda snakemake: None)
    monkeypatch.setattr("assay.pipeline.measurement.measure_block", lambda *arguments: given.append(arguments[-2:]))
    monkeypatch.setattr("assay.pipeline.rechecking.compare_with_archive", lambda *arguments: SimpleNamespace(word="identical"))
    monkeypatch.setattr("assay.networks.jobs.set_up", lambda *arguments: CPU)
    monkeypatch.setattr("assay.pipeline.running.job", contextmanager(lambda snakemake: iter([quiet])))
    output = SimpleNamespace(observations=str(tmp_path / folder / study.name / "0-1/observations.csv"))
    params = SimpleNamespace(scale="ci", device="cpu", precision="float32", code="code")
    job = SimpleNamespace(output=output, params=params, threads=1, rule=rule)
    runpy.run_path(str(PROJECT / "workflow/scripts/measure.py"), {"snakemake": job})
    kept = Kept(tmp_path / "cells" / study.name / "0-1", "code"), tmp_path / "partial" / study.name / "0-1"
    assert given == [kept if keeps else (None, None)]


def failing(monkeypatch, label):
    """Have the protocol raise for one cell."""
    measure = observing._measure

    def measured(session, cell, seed):
        if cell.label == label:
            raise ValueError(f"not of {label}")
        return measure(session, cell, seed)

    monkeypatch.setattr(observing, "_measure", measured)


@pytest.mark.parametrize("name", STUDIES)
@pytest.mark.parametrize("place", [0, -1])
def test_where_the_measuring_of_an_arm_fails_the_others_come_out_as_ever(
    studies, store, whole, tmp_path, monkeypatch, name, place
):
    study = studies[name]
    bad = study.cells[place].label
    failing(monkeypatch, bad)
    kept, partial = kept_in(tmp_path / "cells", study), tmp_path / "partial"
    with pytest.raises(ValueError, match=f"not of {bad}"):
        measure_block(study, BLOCK, store, tmp_path / "evidence", say=quiet, kept=kept, partial=partial)
    assert not (tmp_path / "evidence").exists()
    found, every = read_evidence(partial), read_evidence(whole[name][0])
    assert found.observations == [row for row in every.observations if bad not in (row.arm, f"{row.arm}@{row.x}")]
    assert found.arrays.keys() == {array for array in every.arrays if array.rpartition("/")[0] != bad}
    assert all(np.array_equal(found.arrays[array], every.arrays[array]) for array in found.arrays)
    assert found.provenance["failed"] == {bad: f"ValueError: not of {bad}"}
    assert found.provenance["study_sha256"] == study.digest
    assert set(kept.read(study, cell_keys(study, BLOCK, store, 1))) == {c.label for c in study.cells} - {bad}


def test_an_arm_whose_training_failed_is_not_measured_on_an_earlier_network(studies, store, tmp_path):
    study = studies["adversarial_shape_bias"]
    folder = tmp_path / "networks"
    shutil.copytree(store.folder, folder)
    bad = study.cells[0]
    manifest = json.loads((folder / f"{study.name}.json").read_text())
    why = {bad.recipe.name: {"seeds": [1], "error": "TypeError: no"}}
    (folder / f"{study.name}.json").write_text(json.dumps(manifest | {"failed": why}))
    again, partial = NetworkStore(folder, CPU), tmp_path / "partial"
    with pytest.raises(TrainingError, match=f"arm '{bad.label}': training {bad.recipe.name} failed: TypeError: no"):
        measure_block(study, BLOCK, again, tmp_path / "evidence", say=quiet, partial=partial)
    found = read_evidence(partial)
    assert bad.arm not in {row.arm for row in found.observations}
    assert again.failures([0]) == {}


def test_what_says_nothing_of_a_method_is_no_failed_arm(studies, store, tmp_path, monkeypatch):
    def full(*given):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(observing, "_measure", full)
    with pytest.raises(OSError, match="No space left"):
        measure_block(studies["adversarial_shape_bias"], BLOCK, store, tmp_path / "e", say=quiet, partial=tmp_path / "partial")
    assert not (tmp_path / "partial").exists()


def test_drawing_unseeded_in_the_first_repetition_alone_is_noticed(studies, store, tmp_path, monkeypatch):
    """The generator is seeded anew for the second, so a look at the end alone would miss it."""
    study = studies["adversarial_shape_bias"]
    measure = observing._measure

    def measured(session, cell, seed):
        if seed == 0:
            torch.rand(1)
        return measure(session, cell, seed)

    monkeypatch.setattr(observing, "_measure", measured)
    measure_block(study, BLOCK, store, tmp_path / "evidence", say=quiet, kept=kept_in(tmp_path / "cells", study))
    assert not (tmp_path / "cells").exists()
