"""Shell completion: names of studies, scales, kinds, papers and sides, from the program as a shell asks it."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from assay import cli
from assay.cli import completing
from assay.errors import StudyError
from assay.language.scales import scales
from assay.language.studies import study_paths


def offered(words: str) -> list[str]:
    """What bash is offered for the last of these words."""
    asked = {"_ASSAY_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    return CliRunner().invoke(cli.app, [], prog_name="assay", env=asked).stdout.split()


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("assay show mix", ["mixup"]),
        ("assay plan mixup --scale c", [name for name in scales() if name.startswith("c")]),
        ("assay list schedul", ["schedules"]),
        ("assay new P16", [f"P16{digit}" for digit in range(10)]),
        ("assay diff arch", ["archive"]),
    ],
)
def test_names_are_offered(words, names):
    assert offered(words) == names


def test_all_studies_are_offered_and_a_damaged_folder_offers_none(monkeypatch):
    assert completing.study_names("") == list(study_paths())

    def broken():
        raise StudyError("a name twice")

    monkeypatch.setattr(completing, "study_paths", broken)
    assert completing.study_names("") == []


def test_nothing_heavy_is_imported_for_it():
    code = "import sys, assay.cli.completing as c; c.study_names(''), c.scale_names(''), c.listed_kinds(''), c.paper_keys('');"
    code += "print(sorted({'torch', 'numpy', 'pandas', 'snakemake'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
