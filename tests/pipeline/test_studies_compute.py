"""The chosen studies from YAML to page at the scale ci, in this process: no job is started, and torch is imported once."""

import re

import pytest
from choosing import asked_for_all, choice
from computing import Computed

from assay.language.studies import load_studies
from assay.report.reporting import write_figure, write_report


@pytest.fixture(scope="module")
def computed(request, tmp_path_factory) -> Computed:
    chosen = choice(asked_for_all(request.config))
    return Computed(load_studies("ci", only=chosen.computed), tmp_path_factory.mktemp("computed") / "results" / "ci")


def test_every_chosen_study_is_measured_and_judged(computed):
    assert computed.failed == {}
    assert computed.verdicts["failed"] == {}
    assert set(computed.verdicts["studies"]) == set(computed.studies)


def test_one_seed_concludes_nothing(computed):
    assert {study["verdict"] for study in computed.verdicts["studies"].values()} <= {"inconclusive", "invalid"}


def test_output_names_can_be_read(computed):
    names = [path.name for path in (computed.results / "networks").iterdir() if path.is_dir()]
    assert all(re.fullmatch(r"[a-z0-9-]+-[0-9a-f]{8}", name) for name in names)


def test_results_hold_no_path_of_this_machine(computed):
    for path in computed.results.rglob("provenance.json"):
        assert str(computed.results) not in path.read_text()


def test_every_chosen_study_is_drawn_and_has_a_page(computed):
    studies = [computed.studies[name] for name in computed.verdicts["studies"]]
    for study in studies:
        write_figure(study, computed.sources)
        assert (computed.results / f"figures/{study.name}.svg").stat().st_size > 1000
    write_report(studies, computed.sources)
    for study in studies:
        assert f"figures/{study.name}.svg" in (computed.results / f"report/studies/{study.name}.html").read_text()
