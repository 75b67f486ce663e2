"""How hard worlds are: what the table says is what the page and docs/worlds.md show, and a world without a row is named."""

import re

import pytest
import synthetic

from assay import report
from assay.errors import EvidenceError
from assay.language.plugs import find
from assay.language.scales import load_scale
from assay.pipeline.sources import Sources
from assay.report.difficulty import COLUMNS, TABLE, as_markdown, effort, read_difficulties
from assay.storage.places import PROJECT

WITHOUT = {
    "one class": {"dead_leaves", "defects", "stereo"},
    "other networks": {"misread", "without_flagged"},
    "retrieved": {"cifar10", "cifar100", "cifar10_c", "idx", "imagenet", "imagenet_c"},
}
ROWS = [
    ("coins", "3x16x16", 100, 50, 2, 0.5, "resnet", 8, 0, 0.9),
    ("coins", "3x16x16", 100, 50, 2, 0.6, "resnet", 8, 1, 0.7),
    ("coins", "3x16x16", 100, 50, 2, 0.5, "linear", "", 0, 0.55),
]


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "difficulty.csv"
    path.write_text("\n".join(",".join(map(str, row)) for row in [COLUMNS, *ROWS]) + "\n")
    return path


def test_repetitions_are_averaged(table):
    coins = read_difficulties(table)["coins"]
    assert (coins.image, coins.train, coins.test, coins.classes, coins.chance) == ((3, 16, 16), 100, 50, 2, 0.55)
    assert list(coins.scores) == ["resnet", "linear"]
    resnet = coins.scores["resnet"]
    assert (resnet.mean, resnet.low, resnet.high, resnet.repetitions, resnet.epochs) == (pytest.approx(0.8), 0.7, 0.9, 2, 8)
    assert effort([coins]) == {"resnet": (2, 8), "linear": (1, None)}


def test_table_in_words(table):
    row = as_markdown(read_difficulties(table)).splitlines()[-1]
    assert row == "| coins | 100 of 3 × 16 × 16 | 2 | 0.55 | 0.80 (0.70 to 0.90) | - | - | 0.55 | - |"


def test_rows_are_of_worlds_there_are_with_classes_to_tell_apart():
    rows = set(read_difficulties())
    measured = {name.removesuffix(", laptop") for name in rows}
    assert measured <= set(find("worlds"))
    assert {f"{name}, laptop" for name in load_scale("laptop").worlds} == {name for name in rows if ", " in name}
    assert measured >= {"shapes", "digits", "domains", "photos", "textures", "two_objects", "urban_shapes"}
    assert not measured & set().union(*WITHOUT.values())


def test_the_documentation_has_the_table():
    page = (PROJECT / "docs" / "worlds.md").read_text(encoding="utf-8")
    assert f"<!-- difficulty -->\n\n{as_markdown(read_difficulties())}\n<!-- end -->" in page


def test_chance_is_at_least_that_of_equal_classes():
    for row in read_difficulties().values():
        assert 1 / row.classes - 1e-4 <= row.chance < 1
        assert all(0 <= score.low <= score.mean <= score.high <= 1 for score in row.scores.values())


def test_the_page_draws_the_table_and_names_worlds_without_a_row(site):
    page = (site / "worlds.html").read_text()
    shapes = read_difficulties()["shapes"]
    row = re.search(r'<tr><th scope="row"><a href="methods/worlds-shapes.html">shapes</a> (.*?)</tr>', page)[1]
    assert "10 classes, 1,536 of 3 × 16 × 16" in row
    assert f'<td class="number">{shapes.scores["resnet"].mean:.2f}<svg' in row
    assert f'width="{100 * shapes.scores["resnet"].mean:.1f}%"' in row
    assert f'x1="{100 * shapes.chance:.1f}%"' in row
    unmeasured = re.search(r"Not measured.*?</p>", page)[0]
    assert 'href="methods/worlds-unseen.html">unseen</a>' in unmeasured
    assert "shapes" not in unmeasured
    assert "python bench/difficulty.py" in page


@pytest.mark.parametrize("content", [None, "", "world,image\nshapes,3x16x16\n", "\x00"])
def test_a_table_that_is_lost_or_cut_is_one_line_with_the_fix(tmp_path, content):
    path = tmp_path / "difficulty.csv"
    if content is not None:
        path.write_text(content)
    with pytest.raises(EvidenceError, match=r"difficulty\.csv: .*python bench/difficulty\.py") as error:
        read_difficulties(path)
    assert "\n" not in str(error.value)


def test_a_report_without_the_table_says_how_to_make_it(tmp_path, monkeypatch, papers):
    monkeypatch.setattr(read_difficulties, "__defaults__", (tmp_path / TABLE.name,))
    with pytest.raises(EvidenceError, match=r"make it with python bench/difficulty\.py"):
        report.build(Sources.read(tmp_path), tmp_path / "report", [], papers, synthetic.METHODS)
