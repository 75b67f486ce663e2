"""Published numbers: beside the study's own only where its compiled world and model are the paper's, else with their setting."""

import re

import pytest
import synthetic
import yaml

from assay import report
from assay.errors import StudyError
from assay.language import catalogue
from assay.language.published import Published, PublishedNumber
from assay.language.scales import load_scale
from assay.language.studies import Study, compile_study, load_studies
from assay.pipeline.sources import Sources

NUMBER = {"metric": "treated.top1", "value": 0.987, "source": "table 2", "setting": "MNIST, the paper's network"}


def page_of(tmp_path, *published: Published) -> str:
    """The study's page, whose arm treated measured 0.64 on average."""
    study = synthetic.view("mixup", "P166", "training-recipes", published=published, worlds={})
    results = tmp_path / "results"
    results.mkdir()
    rows = [["mixup", arm, seed, "top1", "", repr(mean + 0.01 * (seed - 2))] for arm, mean in (("erm", 0.6), ("treated", 0.64))
            for seed in range(5)]  # fmt: skip
    synthetic.store(results, study, rows)
    report.build(Sources.read(results), tmp_path / "site", [study], catalogue.load())
    return (tmp_path / "site" / "studies" / "mixup.html").read_text()


def cells(page: str) -> list[str]:
    return [re.sub(r"<[^>]*>", "", cell).strip() for cell in re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", page, re.DOTALL)]


def test_a_number_of_the_papers_own_setting_stands_beside_the_one_measured(tmp_path):
    page = page_of(tmp_path, Published(PublishedNumber(**NUMBER), reproduced=True))
    found = cells(page)
    at = found.index("treated.top1 MNIST, the paper&#39;s network; table 2")
    assert found[at + 1 : at + 3] == ["0.987", "0.64"]
    assert "In the paper</h3>" not in page


def test_another_setting_is_spelled_out_without_a_number_beside_it(tmp_path):
    page = page_of(tmp_path, Published(PublishedNumber(**NUMBER), reproduced=False))
    assert "Published and regenerated" not in page
    section = page[page.index("In the paper</h3>") :]
    assert "<code>treated.top1</code> = 0.987</dt><dd>MNIST, the paper&#39;s network; table 2</dd>" in section


def test_differences_are_measured_seed_by_seed_and_missing_values_are_a_dash(tmp_path):
    difference = PublishedNumber(**NUMBER | {"metric": "treated.top1 - erm.top1"})
    missing = PublishedNumber(**NUMBER | {"metric": "shuffled.top1"})
    found = cells(page_of(tmp_path, Published(difference, reproduced=True), Published(missing, reproduced=True)))
    assert found[found.index("0.987") + 1] == "0.04"
    assert found[len(found) - found[::-1].index("0.987")] == "–"


def test_text_of_a_study_file_stays_text(tmp_path):
    hostile = PublishedNumber(**NUMBER | {"setting": synthetic.HOSTILE, "source": synthetic.HOSTILE})
    page = page_of(tmp_path, Published(hostile, reproduced=False), Published(hostile, reproduced=True))
    assert "<script>alert(1)" not in page
    assert page.count("&lt;script&gt;alert(1)") >= 4


STUDY = {
    "paper": "P331",
    "question": "Does it help?",
    "base": {"world": "shapes", "model": {"convnet": {"drop_rate": 0.5}}},
    "arms": {"small": {"world": {"shapes": {"size": 16}}}, "large": {}},
    "protocol": "classify",
    "controls": ["small.top1 > 0.3"],
    "expect": ["large.top1 > small.top1"],
}
EASIER = load_scale("laptop").worlds["shapes"]  # what the scale sets; a paper's setting is read with the file's own defaults
SAME = {"world": {"shapes": {"size": 16, "train": 1536, "test": 1024} | EASIER}, "model": {"convnet": {"drop_rate": 0.5}}}


def compiled(tmp_path, scale="laptop", **number) -> Study:
    path = tmp_path / "study.yaml"
    published = [{"metric": "large.top1", "value": 0.9, "source": "table 1", "setting": "shapes"} | number]
    path.write_text(yaml.safe_dump(STUDY | {"published": published}))
    return compile_study(path, scale, load_scale(scale))


@pytest.mark.parametrize(
    ("same_as", "scale", "reproduced"),
    [
        (SAME, "laptop", True),
        (SAME, "gpu", False),  # other sizes
        (SAME | {"world": {"shapes": {"size": 16, "train": 1536, "test": 1024}}}, "laptop", False),  # not the scale's defaults
        (SAME | {"model": "convnet"}, "laptop", False),  # its defaults have no dropout
        (SAME | {"world": {"shapes": {"size": 16}}}, "laptop", False),  # sizes not given are the world's, not the scale's
        ({"model": {"convnet": {"drop_rate": 0.5}}}, "gpu", True),
        (None, "laptop", False),
    ],
)
def test_world_and_model_have_to_be_the_papers_in_full(tmp_path, same_as, scale, reproduced):
    (published,) = compiled(tmp_path, scale, same_as=same_as).published
    assert published.reproduced == reproduced


def test_every_arm_that_a_number_reads_counts(tmp_path):
    other = SAME | {"world": {"shapes": {"size": 32, "train": 1536, "test": 1024} | EASIER}}
    assert not compiled(tmp_path, metric="large.top1 - small.top1", same_as=other).published[0].reproduced
    assert compiled(tmp_path, metric="large.top1 - small.top1", same_as=SAME).published[0].reproduced


@pytest.mark.parametrize(
    ("number", "said"),
    [
        ({"metric": "lagre.top1"}, "published[1]: '(lagre.top1) > 0': unknown arm 'lagre'; did you mean 'large'?"),
        ({"metric": "large.top"}, "unknown metric 'top'; did you mean 'top1'?"),
        ({"metric": "large.top1 >"}, "published[1]: "),
        ({"value": ".nan"}, "key 'published.0.value': "),
        ({"source": ""}, "key 'published.0.source': "),
        ({"same_as": {"world": "cifar1000"}}, "published[1].world: unknown worlds plug 'cifar1000'"),
        ({"same_as": {"wrold": "shapes"}}, "published.0.same_as"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path, number, said):
    with pytest.raises(StudyError) as caught:
        compiled(tmp_path, **number)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_cluster_scale_reproduces_a_papers_own_setting_and_smaller_ones_do_not():
    names = {published.number.metric for published in load_studies("cluster", only=["cnn_svm"])["cnn_svm"].published}
    at = {scale: load_studies(scale, only=["cnn_svm"])["cnn_svm"].published for scale in ("laptop", "cluster")}
    assert names == {"softmax.top1", "svm.top1", "shapes_softmax.top1", "shapes_svm.top1"}
    assert all(published.reproduced for published in at["cluster"])
    assert not any(published.reproduced for published in at["laptop"])
