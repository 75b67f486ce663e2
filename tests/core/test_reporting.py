"""From a project's files to its report: the pages say how the study's row stands and show the worlds it draws from."""

import hashlib
import json
import shutil

from project_tree import HERE

from assay.evidence.cards import card_name, write_card
from assay.language.plugs import everything
from assay.pipeline.deciding import decide, sources_now
from assay.pipeline.sources import Sources
from assay.report.reporting import checked_view, draw_figure, method_views, study_view, write_manifest, write_report
from assay.storage.files import read_json


def now(tree, *names: str) -> Sources:
    """Where evidence comes from in a run that computes nothing."""
    return sources_now({name: tree.compiled(name) for name in names or ("mixup",)}, tree.results, tree.root)


def code_of_another_core(tree) -> dict[str, str]:
    return read_json(tree.folder() / "provenance.json")["code"] | {"assay.training.run": "another"}


def page(tree) -> str:
    write_report([tree.compiled()], tree.sources)
    return (tree.results / "report/studies/mixup.html").read_text()


def test_arms_on_one_world_share_its_card_and_arms_on_another_have_theirs(tree):
    (shared,) = study_view(tree.compiled()).worlds.items()
    assert shared[1] == ("erm", "mixup")
    tree.study(arms={"erm": {}, "mixup": {}, "noisy": {"world": {"shapes": {"label_noise": 0.4}}}})
    worlds = study_view(tree.compiled()).worlds
    assert list(worlds.values()) == [("erm", "mixup"), ("noisy",)]
    assert shared[0] in worlds


def test_worlds_made_from_trained_networks_have_no_card(tree):
    cleaned = {"without_flagged": {"of": "shapes", "judges": ["first"]}}
    tree.study(networks={"first": {"record": ["margins"]}}, arms={"erm": {}, "mixup": {"world": cleaned}})
    assert list(study_view(tree.compiled()).worlds.values()) == [("erm",)]


def test_view_says_how_the_row_stands(tree):
    view = checked_view(tree.compiled(), now(tree), tree.root)
    assert (view.stale, view.unproven, view.lacking, view.missing) == ((), (), (), ())
    assert (view.evidence, view.release, view.agreement) == ("recomputed", "", None)
    assert [part.plug for part in view.introduces] == ["augment/mixup", "protocols/classify"]
    tree.test("")
    assert len(checked_view(tree.compiled(), now(tree), tree.root).missing) == 2
    tree.measure(code=code_of_another_core(tree))
    assert checked_view(tree.compiled(), now(tree), tree.root).unproven == ("training/run.py changed",)
    tree.study(base={"world": "shapes", "model": "mlp"})
    view = checked_view(tree.compiled(), now(tree), tree.root)
    assert view.stale is None
    assert view.lacking == ("its evidence is stale: what the study measures changed",)


def test_archived_evidence_is_told_with_its_day_and_what_was_computed_here_beside_it(tree):
    entry = tree.archive()
    view = checked_view(tree.compiled(), now(tree), tree.root)
    assert view.evidence == "archived"
    assert view.release == "2026-11-01, commit ccccccc"
    assert view.agreement.word == "identical"  # the same numbers
    tree.measure(erm=0.9)
    assert checked_view(tree.compiled(), now(tree), tree.root).agreement.word == "drifted"
    (tree.root / entry.folder / "arrays.npz").unlink()
    lost = checked_view(tree.compiled(), now(tree), tree.root).agreement
    assert (lost.word, lost.reason) == (
        "not compared",
        f"{entry.folder}/arrays.npz: is not the file that archive.jsonl lists; run: assay pull archive",
    )
    shutil.rmtree(tree.results)
    assert checked_view(tree.compiled(), now(tree), tree.root).agreement is None


def test_stale_archived_evidence_is_shown_as_such_where_nothing_else_may_be(tree):
    tree.archive()
    tree.study(base={"world": "shapes", "model": "mlp"})
    studies = {"mixup": tree.compiled()}
    sources = decide(studies, (), "archive", tree.root / "results/archive/laptop", HERE, tree.root)
    view = checked_view(tree.compiled(), sources, tree.root)
    assert view.stale[0] == "what the study measures changed"
    assert view.evidence == "archived"


def test_study_never_measured_has_no_freshness(tree):
    tree.study("other")
    view = checked_view(tree.compiled("other"), now(tree, "other"), tree.root)
    assert view.stale is None
    assert view.missing[0].startswith("no evidence at scale laptop")


def test_evidence_at_other_scales_is_told(tree):
    def others():
        return checked_view(tree.compiled(), now(tree), tree.root).other_scales

    assert others() == ()
    elsewhere = tree.results.parent / "ci" / "observations" / "mixup" / "0-0"
    elsewhere.mkdir(parents=True)
    tree.scale("ci")
    assert others() == ()
    (elsewhere / "provenance.json").write_text("{}")
    assert others() == ("ci",)


def test_recipes_are_told_as_a_study_would_write_them(tree):
    noisy = {"world": {"shapes": {"label_noise": 0.4}}, "start": "first", "draws": {"init": 1}}
    tree.study(networks={"first": {}}, arms={"erm": {}, "mixup": {"augment": "mixup"}, "noisy": noisy})
    recipes = study_view(tree.compiled()).recipes
    common = {"model": "linear", "objective": "cross_entropy", "optimizer": "sgd", "schedule": "cosine"}
    size = {"train": 64, "test": 32}
    budget = {"epochs": 1, "batch": 32}
    plain = {"world": {"shapes": size}, **common, "budget": budget, "protocol": "classify"}
    assert recipes["erm"] == plain
    assert recipes["mixup"] == plain | {"augment": ["mixup"]}
    (first,) = tree.compiled().networks.values()
    world = {"shapes": {**size, "label_noise": 0.4}}
    assert recipes["noisy"] == plain | {"world": world, "start": first.name, "draws": {"init": 1}}


def test_every_method_is_described_from_its_source_tests_and_studies(tree):
    methods = {method.plug: method for method in method_views([tree.compiled()], tree.root)}
    assert list(methods) == [f"{plug.kind}/{plug.name}" for plug in everything()]
    mixup = methods["augment/mixup"]
    assert mixup.file == "src/assay/augment/mixup.py"
    assert mixup.summary.startswith("Mixup: train on convex combinations")
    assert mixup.details.startswith("Images (B, C, H, W)")
    assert mixup.parameters == (("alpha", "Annotated[float, Gt(0)]", "1.0"),)
    assert mixup.papers == ("P166",)
    assert [vouch.test for vouch in mixup.vouches] == ["tests/test_mixup.py::test_mixed"]
    # A metric that the study's protocol imports is used as much as a plug that the study names, and so is its figure.
    for plug in ("augment/mixup", "metrics/top1", "protocols/classify", "figures/bars"):
        assert methods[plug].studies == ("mixup",), plug
    assert methods["augment/augmix"].studies == ()
    assert "top1" in methods["protocols/classify"].metrics


def test_report_shows_the_card_of_its_world(tree):
    (cell, *_) = tree.compiled().cells
    world = cell.recipe.data["world"]
    assert "card.json: does not exist" in page(tree)
    write_card(world, tree.results / "worlds" / card_name(world))
    text = page(tree)
    assert "train: 64 images of 3 × 16 × 16; test: 32 images of 3 × 16 × 16" in text
    assert f"../worlds/{card_name(world)}.png" in text
    assert "This row of the catalogue works" in text


def test_manifest_lists_every_file_with_its_checksum(tree):
    (tree.results / "figures").mkdir()
    (tree.results / "figures/mixup.svg").write_bytes(draw_figure(tree.compiled(), tree.sources))
    page(tree)
    report = tree.results / "report"
    write_manifest(report / "manifest.json")
    manifest = json.loads((report / "manifest.json").read_text())
    assert {"index.html", "studies/mixup.html", "studies/mixup.csv", "figures/mixup.svg", "assets/report.css"} <= set(manifest)
    assert all(hashlib.sha256((report / name).read_bytes()).hexdigest() == digest for name, digest in manifest.items())
    write_manifest(report / "manifest.json")
    assert json.loads((report / "manifest.json").read_text()) == manifest
