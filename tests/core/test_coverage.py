"""Coverage: a row works only with fresh evidence, passing controls and an oracle test for every plug; each lack is named."""

import json
import shutil

import pytest
from project_tree import VOUCHING

from assay.artifacts.ledger import read_ledger, write_ledger
from assay.errors import StudyError
from assay.language.catalogue import load as load_catalogue
from assay.overview.coverage import Introduction, Vouch, coverage, introduced, introductions, row_at, vouches


def row(tree):
    return row_at(tree.compiled(), tree.root)


def missing(tree) -> str:
    """The one thing that is missing."""
    found = row(tree)
    assert not found.working
    (reason,) = found.missing
    return reason


def change_json(path, change):
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


def test_a_row_works_when_nothing_is_missing(tree):
    assert row(tree).missing == []
    assert row(tree).working
    assert row(tree).word == "supported"


def test_a_study_that_was_never_run_is_told_how_to_run(tree):
    shutil.rmtree(tree.results / "observations/mixup")
    assert missing(tree) == "no evidence at scale laptop: run snakemake --config scale=laptop 'studies=[mixup]'"


@pytest.mark.parametrize("name", ["observations.csv", "arrays.npz"])
def test_lost_evidence(tree, name):
    (tree.folder() / name).unlink()
    assert missing(tree) == "no evidence at scale laptop: run snakemake --config scale=laptop 'studies=[mixup]'"


def test_altered_evidence(tree):
    path = tree.folder() / "observations.csv"
    path.write_text(path.read_text().replace("0.7", "0.9"))
    assert missing(tree) == "no evidence at scale laptop: run snakemake --config scale=laptop 'studies=[mixup]'"


def test_evidence_of_other_code(tree):
    code = json.loads((tree.folder() / "provenance.json").read_text())["code"]
    tree.measure(code={**code, "assay.augment.mixup": "other"})
    tree.judge()
    assert missing(tree) == "evidence is unproven: augment/mixup.py changed"


def test_unproven_evidence_is_judged_with_a_mark(tree):
    code = json.loads((tree.folder() / "provenance.json").read_text())["code"]
    tree.measure(code={**code, "assay.training.run": "other"})
    tree.judge()
    assert missing(tree) == "evidence is unproven: training/run.py changed"
    assert row(tree).word == "supported"


def test_evidence_of_another_study_text(tree):
    tree.study(base={"world": "shapes", "model": "mlp"})
    assert row(tree).missing == ["no evidence at scale laptop: its evidence is stale: what the study measures changed"]


def test_new_words_around_the_same_measurement_keep_it_fresh(tree):
    tree.study(question="Does it really help?", notes="New.")
    assert row(tree).working


def test_never_judged(tree):
    (tree.results / "verdicts.json").unlink()
    assert missing(tree) == "not judged: run snakemake"


def test_judged_without_this_study(tree):
    change_json(tree.results / "verdicts.json", lambda data: data["studies"].clear())
    assert missing(tree) == "not judged: run snakemake"
    change_json(tree.results / "verdicts.json", lambda data: data["failed"].update(mixup={"error": "out of memory"}))
    assert missing(tree) == "not judged: out of memory"


def test_verdict_on_older_observations(tree):
    tree.measure(erm=0.5)
    assert missing(tree) == "not judged: the verdict rests on other observations; run snakemake"
    assert row(tree).word is None


def test_verdict_on_other_expectations(tree):
    tree.study(margin={"top1": 0.04})
    assert missing(tree) == "not judged: the verdict is on other expectations, controls or margins; run snakemake"
    assert row(tree).word is None


def test_archived_verdict_on_other_expectations(tree):
    shutil.rmtree(tree.results)
    tree.archive()
    tree.study(margin={"top1": 0.04})
    assert missing(tree) == "not judged: the verdict is on other expectations, controls or margins; run snakemake"
    assert row(tree).word is None


def test_archived_evidence_stands_with_its_word(tree):
    """As in a fresh clone, where nothing was judged."""
    shutil.rmtree(tree.results)
    tree.archive()
    assert row(tree).working
    assert row(tree).word == "supported"
    (key, line), *_ = read_ledger(tree.root).items()
    write_ledger({key: line.model_copy(update={"valid": False})}, tree.root)
    assert missing(tree) == "control failed"
    assert row(tree).word == "invalid"


def test_a_verdict_from_here_on_archived_evidence_counts_if_it_rests_on_it(tree):
    tree.archive()  # the numbers of the evidence from here, which was judged
    change_json(tree.results / "verdicts.json", lambda data: data["studies"]["mixup"].update(word="open"))
    assert row(tree).word == "open"
    tree.archive(erm=0.5)
    assert row(tree).word == "supported"  # as the archive says


def test_failed_control(tree):
    tree.measure(erm=0.1)
    tree.judge()
    assert missing(tree) == "control failed: erm.top1 > 0.3"
    assert row(tree).word == "invalid"


@pytest.mark.parametrize("paper", ["P194", None])
def test_plug_vouched_for_another_paper_or_none(tree, paper):
    other = f', paper="{paper}"' if paper else ""
    tree.test(VOUCHING.replace('"augment/mixup", paper="P166"', f'"augment/mixup"{other}'))
    assert missing(tree) == "no oracle test vouches for augment/mixup"


def test_no_tests_at_all(tree):
    tree.test("")
    assert row(tree).missing == ["no oracle test vouches for augment/mixup", "no oracle test vouches for protocols/classify"]


def test_paper_that_no_plug_cites(tree):
    tree.study(paper="P001")
    tree.judge()
    assert missing(tree) == "no plug of the study cites P001 in its docstring"


def test_a_paper_key_is_not_found_inside_a_longer_one(tree):
    tree.study(paper="P016")
    assert introduced(tree.compiled()) == []


def test_what_the_paper_brings_with_its_tests(tree):
    first, second = introductions(tree.compiled(), tree.root / "tests")
    assert first.plug == "augment/mixup"
    assert first.text.startswith("Mixup: ")
    assert first.tests == ("tests/test_mixup.py::test_mixed",)
    assert second == Introduction("protocols/classify", second.text, ("tests/test_mixup.py::test_counted",))
    assert "\n" not in second.text


def test_every_mark_is_found_on_functions_methods_and_classes(tree):
    tree.test(VOUCHING + '\n\n@pytest.mark.vouches("scores/msp")\n@pytest.mark.slow\nclass TestAll: ...\n')
    assert vouches(tree.root / "tests") == (
        Vouch("augment/mixup", "P166", "tests/test_mixup.py::test_mixed"),
        Vouch("scores/msp", None, "tests/test_mixup.py::TestAll"),
        Vouch("protocols/classify", "P166", "tests/test_mixup.py::test_counted"),
    )


@pytest.mark.parametrize("arguments", ["NAME", '"a/b", "P166"', '"a/b", papers="P166"', '"a/b", paper=KEY', ""])
def test_mark_that_cannot_be_read_names_its_line(tree, arguments):
    tree.test(f"import pytest\n\n@pytest.mark.vouches({arguments})\ndef test_it(): ...\n")
    with pytest.raises(StudyError, match=r"test_mixup\.py:3: .* cannot be read; write pytest\.mark\.vouches"):
        vouches(tree.root / "tests")


def test_rows_are_counted_by_family(tree):
    catalogue = load_catalogue()
    found = coverage(catalogue, tree.root)
    assert (found["total"], found["working"]) == (764, 1)
    assert found["papers"]["P166"] == {
        "study": "mixup",
        "word": "supported",
        "count": "1 of 1 holds",
        "working": True,
        "missing": [],
    }
    assert found["papers"]["P194"] == {"study": None, "word": None, "count": None, "working": False, "missing": ["no study"]}
    family = catalogue["P166"].family
    assert found["families"][family]["working"] == 1
    assert sum(counts["working"] for counts in found["families"].values()) == 1
    assert sum(counts["total"] for counts in found["families"].values()) == 764


def test_a_second_study_cannot_take_a_working_row_down(tree):
    tree.study("another")
    tree.study("zzz")
    assert coverage(load_catalogue(), tree.root)["papers"]["P166"]["study"] == "mixup"


def test_one_conclusive_scale_is_enough(tree):
    tree.scale("accelerator", first_look=10)
    assert coverage(load_catalogue(), tree.root)["working"] == 1


def test_of_several_scales_the_one_with_a_verdict_speaks(tree):
    tree.measure(erm=0.1)
    tree.judge()
    tree.scale("accelerator", first_look=10)
    assert coverage(load_catalogue(), tree.root)["papers"]["P166"]["missing"] == ["control failed: erm.top1 > 0.3"]


def test_where_no_scale_has_evidence_the_default_one_speaks(tree):
    shutil.rmtree(tree.results)
    tree.scale("accelerator", first_look=10)
    assert coverage(load_catalogue(), tree.root)["papers"]["P166"]["missing"][0].startswith("no evidence at scale laptop")


def test_inconclusive_scales_count_for_nothing(tree):
    tree.scale(conclusive=False)
    assert coverage(load_catalogue(), tree.root)["working"] == 0


def test_study_that_does_not_validate_leaves_its_row_empty(tree):
    tree.study(protocol="clasify")
    found = coverage(load_catalogue(), tree.root)
    assert found["working"] == 0
    assert found["papers"]["P166"]["study"] is None
