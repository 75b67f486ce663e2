"""Scales that are like another, stand-ins that keep sizes, studies that a scale leaves out; and the committed scale `real`."""

import pytest
import yaml

from assay.errors import StudyError
from assay.language.catalogue import load as load_catalogue
from assay.language.recipes import walk
from assay.language.scales import Scale, load_scale
from assay.language.studies import Study, compile_study, load_studies
from assay.overview.coverage import coverage

BASE = {
    "description": "small",
    "first_look": 4,
    "block": 2,
    "world": {"size": 16, "train": 60, "test": 30},
    "budget": {"epochs": 4, "batch": 32},
}
SETTINGS = {
    "clothes": {"keep_sizes": True, "worlds": {"shapes": {"fashion_mnist": {"channels": 3}}, "digits": "mnist"}},
    "styles": {
        "keep_sizes": True,
        "worlds": {
            "shapes": "fashion_mnist",
            "domains": {"emoji": {"train_styles": ["noto"], "test_styles": ["fluent"], "test": 20}},
        },
    },
}
STUDY = {
    "paper": "P166",
    "question": "Does it help?",
    "base": {"world": {"shapes": {"train": 40, "label_noise": 0.4}}, "model": "resnet"},
    "arms": {"erm": {}, "mixup": {"augment": "mixup"}},
    "protocol": "classify",
    "controls": ["erm.top1 > 0.3"],
    "expect": ["mixup.top1 > erm.top1"],
}


def compiled(tmp_path, scale: dict | None = None, **changes) -> Study:
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(STUDY | changes, sort_keys=False))
    return compile_study(path, "real", Scale.model_validate(BASE | {"settings": SETTINGS} | (scale or {})))


def world_of(study: Study) -> dict:
    return study.cells[0].recipe.data["world"]


def test_a_stand_in_may_keep_the_sizes_of_the_study_and_of_the_scale(tmp_path):
    study = compiled(tmp_path)
    own = world_of(study)["parameters"]
    assert world_of(study)["plug"] == "worlds/fashion_mnist"
    assert (own["size"], own["train"], own["test"]) == (16, 40, 30)  # the scale's, the study's, the scale's
    assert (own["channels"], own["label_noise"]) == (3, 0.4)
    assert study.cells[0].recipe.data["budget"] == BASE["budget"]  # the setting has none of its own


def test_arms_that_differ_in_the_size_of_a_world_stay_apart(tmp_path):
    arms = {"few": {"world": {"shapes": {"train": 20}}}, "many": {}}
    study = compiled(tmp_path, arms=arms, controls=["few.top1 > 0"], expect=["many.top1 > few.top1"])
    assert study.stand_ins.kept is None
    assert [cell.recipe.data["world"]["parameters"]["train"] for cell in study.cells] == [20, 40]


def test_a_world_made_of_others_is_replaced_as_a_whole(tmp_path):
    styled = {"fold": {"of": {"domains": {"train_styles": ["sketch"]}}}}
    base = {"world": styled, "model": "resnet", "start": "first"}
    networks = {"first": {"world": "shapes", "start": None}}
    study = compiled(tmp_path, {"studies": {"study": "styles"}}, base=base, networks=networks)
    inner = world_of(study)["parameters"]["of"]
    assert inner["plug"] == "worlds/emoji"
    assert (inner["parameters"]["train_styles"], inner["parameters"]["train"], inner["parameters"]["test"]) == (["noto"], 60, 20)
    assert study.stand_ins.replaced == {"domains": "emoji (train_styles ['noto'], test_styles ['fluent'], test 20)"} | {
        "shapes": "fashion_mnist"
    }


def test_a_study_that_needs_only_such_a_world_takes_the_setting_that_has_it(tmp_path):
    settings = SETTINGS | {"others": {"worlds": {"dead_leaves": "fashion_mnist"}}}
    study = compiled(tmp_path, {"settings": settings}, base={"world": {"dead_leaves": {"channels": 1}}, "model": "resnet"})
    assert study.stand_ins.setting == "others"


def test_more_images_than_a_stand_in_has_are_a_reason_and_no_error(tmp_path):
    study = compiled(tmp_path, base={"world": {"shapes": {"train": 12001}}, "model": "resnet"})
    assert study.stand_ins.kept == "fashion_mnist: train = 12001 is more than there is (at most 12000)"


def test_a_stand_in_is_called_by_its_title(tmp_path):
    study = compiled(tmp_path, {"titles": {"fashion_mnist": "Fashion-MNIST"}})
    assert study.stand_ins.replaced == {"shapes": "Fashion-MNIST"}


def write_scales(folder, **scales):
    (folder / "scales").mkdir(exist_ok=True)
    for name, scale in scales.items():
        (folder / "scales" / f"{name}.yaml").write_text(yaml.safe_dump(scale))


def test_a_scale_that_is_like_another_takes_what_it_does_not_say(tmp_path):
    write_scales(tmp_path, small=BASE, real={"description": "d", "like": "small", "block": 1, "settings": SETTINGS})
    scale = load_scale("real", tmp_path)
    assert (scale.first_look, scale.block, scale.description) == (4, 1, "d")
    assert scale.world == load_scale("small", tmp_path).world
    assert scale.budget == load_scale("small", tmp_path).budget


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"like": "smal"}, "scales/real.yaml: like: unknown scale 'smal'; did you mean 'small'?"),
        ({"like": "real"}, "scales/real.yaml: like: unknown scale 'real'"),
        ({"like": "third"}, "scales/real.yaml: like: 'third' does not say everything itself; name a scale that does"),
        ({"like": "small", "titles": {"fashion": "F"}}, "scales/real.yaml: titles: unknown stand-in 'fashion'"),
        ({"like": "small", "budget": {"epochs": 0, "batch": 2}}, "key 'budget.epochs'"),
        ({}, "key 'first_look' is missing"),
    ],
)
def test_what_a_scale_is_like_is_checked_when_it_is_read(tmp_path, changes, said):
    third = {"description": "d", "like": "small"}
    write_scales(tmp_path, small=BASE, third=third, real={"description": "d", "settings": SETTINGS} | changes)
    with pytest.raises(StudyError) as caught:
        load_scale("real", tmp_path)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.fixture
def project(tmp_path):
    """A project with one study that stands on stand-ins and one that keeps its world."""
    folder = tmp_path / "config" / "studies" / "training-recipes"
    folder.mkdir(parents=True)
    (folder / "moves.yaml").write_text(yaml.safe_dump(STUDY))
    (folder / "stays.yaml").write_text(yaml.safe_dump(STUDY | {"base": {"world": {"shapes": {"classes": 5}}, "model": "resnet"}}))
    real = {"description": "d", "like": "small", "settings": SETTINGS, "only_stand_ins": True}
    write_scales(tmp_path / "config", small=BASE, real=real)
    return tmp_path


def test_a_study_that_keeps_its_own_world_can_be_left_out_and_says_why(project):
    config = project / "config"
    assert list(load_studies("real", config)) == ["moves"]
    assert list(load_studies("small", config)) == ["moves", "stays"]
    assert load_studies("real", config, left_out=True)["stays"].stand_ins.left_out
    with pytest.raises(StudyError) as caught:
        load_studies("real", config, only=["stays"])
    why = "stays does not run at scale real: keeps shapes: fashion_mnist has no parameter 'classes'; see it at another scale"
    assert str(caught.value) == why


def test_a_scale_that_leaves_a_study_out_is_none_of_its_row(project):
    (project / "tests").mkdir()
    row = coverage(load_catalogue(), project)["papers"]["P166"]
    assert row["missing"][0].startswith("no evidence at scale small")


@pytest.fixture(scope="module")
def real() -> dict[str, Study]:
    return load_studies("real", left_out=True)


def test_the_scale_real_has_the_laptops_terms():
    mine, laptop = load_scale("real"), load_scale("laptop")
    for key in ("first_look", "block", "networks_per_job", "conclusive", "world", "budget", "precision", "cap"):
        assert getattr(mine, key) == getattr(laptop, key), key


def test_every_study_runs_on_real_images_or_says_why_not(real):
    made = {"shapes", "digits", "domains", "dead_leaves"}
    for study in real.values():
        assert study.stand_ins.left_out == (study.stand_ins.kept is not None), study.name
        trained = [study.cells[0].recipe, *study.recipes] if not study.stand_ins.left_out else []
        worlds = {node["plug"].split("/")[1] for recipe in trained for node in walk(recipe.data["world"]) if "plug" in node}
        assert not made & worlds, study.name
    assert {"mixup", "cnn_svm", "regularisers", "upconvolution", "soups"} <= load_studies("real").keys()
    # They read what no collection knows.
    assert {name for name in ("grad_cam", "whac-a-mole", "sample_complexity", "zoom") if real[name].stand_ins.left_out} == {
        *("grad_cam", "whac-a-mole", "sample_complexity", "zoom")
    }


def test_networks_and_budgets_at_scale_real_are_the_laptops(real):
    laptop = load_studies("laptop")
    for name, study in real.items():
        if study.stand_ins.left_out:
            continue
        for mine, theirs in zip(study.cells, laptop[name].cells, strict=True):
            for key in ("model", "budget", "optimizer", "objective", "augment", "schedule"):
                assert without_recipes(mine.recipe.data[key]) == without_recipes(theirs.recipe.data[key]), (name, mine.arm, key)
        assert (study.seeds, study.first) == (laptop[name].first_look, laptop[name].first)


def without_recipes(value):
    """Canonical data with every parent recipe left out: of these, worlds differ."""
    if isinstance(value, dict):
        return "parent" if "recipe" in value else {key: without_recipes(each) for key, each in value.items()}
    return [without_recipes(each) for each in value] if isinstance(value, list) else value


def test_domain_studies_run_on_styles_that_people_drew(real):
    world = world_of(real["soups"])["parameters"]["of"]
    assert world["plug"] == "worlds/emoji"
    assert world["parameters"]["train_styles"] == ["noto", "twemoji", "fluent"]


def test_foreign_images_are_real_too(real):
    foreign = [node["plug"] for node in real["regularisers"].cells[0].protocol["parameters"]["foreign"]]
    assert foreign == ["worlds/mnist", "worlds/dead_leaves", "worlds/noise_images"]
