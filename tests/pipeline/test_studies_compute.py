"""The chosen studies from YAML to page at the scale ci, in this process: no job is started, and torch is imported once."""

import re
from dataclasses import replace

import pytest
import torch
from choosing import asked_for_all, choice
from computing import Computed

from assay.evidence.tables import TRAINING_LOSS, as_csv, pack_arrays, read_evidence
from assay.language.studies import load_studies
from assay.language.study import Cell, Study
from assay.measuring.observing import observe
from assay.networks.store import NetworkStore
from assay.pipeline.cells import arrays_of, rows_of
from assay.pipeline.sources import Sources
from assay.report.reporting import draw_figure, write_report
from assay.storage.files import write_atomic


@pytest.fixture(scope="module")
def computed(request, tmp_path_factory) -> Computed:
    chosen = choice(asked_for_all(request.config))
    return Computed(load_studies("ci", only=chosen.computed), tmp_path_factory.mktemp("computed") / "results" / "ci")


def test_every_chosen_study_is_measured_and_judged(computed):
    assert computed.failed == {}
    assert computed.verdicts["failed"] == {}
    assert set(computed.verdicts["studies"]) == set(computed.studies)


def test_no_cell_depends_on_which_were_measured_before_it(computed):
    """Cells that were measured before are taken over, so what a protocol leaves behind must change no other cell's numbers."""
    store = NetworkStore(computed.results / "networks", torch.device("cpu"))
    differing = [study.name for study in computed.studies.values() if not independent(study, store, computed.sources)]
    assert differing == []


def independent(study: Study, store: NetworkStore, sources: Sources) -> bool:
    """Whether cells give the same bytes in the reverse order, and without every second of them."""
    together = read_evidence(sources.folder(study.name, study.blocks[0]))
    return all(measured_alone(study, part, store) == cut(part, together.observations, together.arrays) for part in parts(study))


def parts(study: Study) -> tuple[tuple[Cell, ...], ...]:
    return study.cells[::-1], study.cells[1::2]


def measured_alone(study: Study, cells: tuple[Cell, ...], store: NetworkStore) -> list:
    rows, session = observe(replace(study, cells=cells), study.blocks[0], store, lambda line: None)
    return cut(cells, rows, session.arrays)


def cut(cells: tuple[Cell, ...], rows: list, arrays: dict) -> list:
    """The rows and the kept arrays of each cell, as they are stored; the losses of training are added to a whole block."""
    kept = {key: array for key, array in arrays.items() if not key.endswith(f"/{TRAINING_LOSS}")}
    return [(as_csv(rows_of(cell, rows)), pack_arrays(arrays_of(cell, kept))) for cell in cells]


def test_one_seed_concludes_nothing(computed):
    assert {study["word"] for study in computed.verdicts["studies"].values()} <= {"open", "invalid"}


def test_output_names_can_be_read(computed):
    names = [path.name for path in (computed.results / "networks").iterdir() if path.is_dir()]
    assert all(re.fullmatch(r"[a-z0-9-]+-[0-9a-f]{8}", name) for name in names)


def test_results_hold_no_path_of_this_machine(computed):
    for path in computed.results.rglob("provenance.json"):
        assert str(computed.results) not in path.read_text()


def test_every_chosen_study_is_drawn_and_has_a_page(computed):
    studies = [computed.studies[name] for name in computed.verdicts["studies"]]
    for study in studies:
        drawn = draw_figure(study, computed.sources)
        assert len(drawn) > 1000
        write_atomic(computed.results / f"figures/{study.name}.svg", drawn)
    write_report(studies, computed.sources)
    for study in studies:
        assert f"figures/{study.name}.svg" in (computed.results / f"report/studies/{study.name}.html").read_text()
