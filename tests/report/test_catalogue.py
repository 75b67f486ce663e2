"""The catalogue: complete, unique, and clear about what it lacks."""

import json
import subprocess
import sys

import pytest

from assay.errors import StudyError
from assay.language import catalogue


def test_holds_every_paper_once():
    papers = catalogue.load()
    assert len(papers) == 764
    assert papers["P166"].title == "mixup: Beyond Empirical Risk Minimization"
    assert len(papers.families()) == 33


def test_is_written_one_field_a_line():
    assert catalogue.PAPERS.read_text(encoding="utf-8") == json.dumps(
        json.loads(catalogue.PAPERS.read_text(encoding="utf-8")), indent=1, ensure_ascii=False
    ) + "\n"  # fmt: skip


def test_unknown_id_names_the_nearest():
    with pytest.raises(
        StudyError, match=r"papers\.json: unknown paper 'P16a'; did you mean 'P\d16'\?; the catalogue has 764 papers"
    ):
        catalogue.load()["P16a"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows[1].pop("claim"), r"row 2 \(P002\): fields missing or unknown: claim"),
        (lambda rows: rows[0].update(verdict="yes"), r"row 1 \(P001\): fields missing or unknown: verdict"),
        (lambda rows: rows.append(rows[0]), r"row 765 \(P001\): the id is used twice"),
    ],
)
def test_bad_rows_are_named(tmp_path, change, message):
    rows = json.loads(catalogue.PAPERS.read_text(encoding="utf-8"))
    change(rows)
    path = tmp_path / "papers.json"
    path.write_text(json.dumps(rows))
    with pytest.raises(StudyError, match=message):
        catalogue.load(path)


def test_cut_file_is_named(tmp_path):
    path = tmp_path / "papers.json"
    path.write_text('[{"id": "P0')
    with pytest.raises(StudyError, match=r"papers\.json: the catalogue cannot be read"):
        catalogue.load(path)


def test_loads_without_torch_or_pandas():
    heavy = "{'torch', 'pandas', 'numpy'}"
    code = f"import sys; from assay.language import catalogue; catalogue.load(); print({heavy} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
