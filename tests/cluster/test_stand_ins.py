"""What stands in for what: compiled from hand-written scales and studies, and the committed cluster scale as a whole."""

import pytest
import yaml

from assay.errors import StudyError
from assay.evidence.tested import tested as phrase
from assay.language.recipes import walk
from assay.language.scales import Scale, load_scale
from assay.language.studies import Study, compile_study, load_studies
from assay.networks.plan import Plan

SCALE = {
    "description": "for tests",
    "first_look": 3,
    "block": 1,
    "world": {"size": 16, "train": 64, "test": 32},
    "budget": {"epochs": 4, "batch": 32},
    "settings": {
        "photographs": {
            "worlds": {"shapes": "cifar10"},
            "models": {"resnet": {"timm": {"name": "resnet18", "drop_path_rate": 0.1}}},
            "world": {"size": 32, "train": 500, "test": 100},
            "budget": {"epochs": 200, "batch": 128},
            "batch_times": 2,
            "optimizers": {"sgd": {"lr": 0.1, "weight_decay": 0.0005}},
        },
        "digits": {
            "worlds": {"digits": {"idx": {"name": "mnist"}}, "shapes": {"idx": {"name": "fashion_mnist"}}},
            "models": {"mlp": {"mlp": {"width": 1024}}},
            "world": {"size": 28, "train": 500, "test": 100},
            "budget": {"epochs": 20, "batch": 128},
        },
    },
}
STUDY = {
    "paper": "P166",
    "question": "Does it help?",
    "base": {"world": {"shapes": {"label_noise": 0.4, "train": 512}}, "model": {"resnet": {"width": 4}}},
    "arms": {"erm": {}, "mixup": {"augment": "mixup"}},
    "protocol": "classify",
    "controls": ["erm.top1 > 0.3"],
    "expect": ["mixup.top1 > erm.top1"],
}


def compiled(tmp_path, scale: dict | None = None, **changes) -> Study:
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(STUDY | changes, sort_keys=False))
    return compile_study(path, "big", Scale.model_validate(SCALE | (scale or {})))


def test_data_model_budget_and_optimizer_of_the_setting_take_over(tmp_path):
    study = compiled(tmp_path)
    data = study.cells[0].recipe.data
    world = data["world"]["parameters"]
    assert data["world"]["plug"] == "worlds/cifar10"
    assert (world["size"], world["train"], world["test"]) == (32, 50000, 10000)  # the collection's own, not the study's 512
    assert world["label_noise"] == 0.4
    assert data["model"]["plug"] == "models/timm"
    assert data["model"]["parameters"]["name"] == "resnet18"
    assert data["model"]["parameters"]["drop_path_rate"] == 0.1
    assert data["budget"] == {"epochs": 200, "batch": 128}
    assert (data["optimizer"]["parameters"]["lr"], data["optimizer"]["parameters"]["momentum"]) == (0.1, 0.9)
    assert study.stand_ins.setting == "photographs"
    assert study.stand_ins.replaced == {"shapes": "cifar10", "resnet": "resnet18 (drop_path_rate 0.1)"}
    assert study.stand_ins.kept is None


def test_lengths_and_batches_of_a_study_are_relative_to_the_setting(tmp_path):
    study = compiled(tmp_path, arms={"erm": {"budget": {"length": 1.5, "batch": 64}}, "mixup": {"augment": "mixup"}})
    assert study.cells[0].recipe.data["budget"] == {"epochs": 300, "batch": 128}
    assert compiled(tmp_path, base=STUDY["base"] | {"budget": {"epochs": 0}}).cells[0].recipe.data["budget"]["epochs"] == 0


def test_what_arms_differ_in_stays(tmp_path):
    arms = {"slow": {"optimizer": {"sgd": {"lr": 0.01}}}, "fast": {"optimizer": {"sgd": {"lr": 0.3}}}}
    study = compiled(tmp_path, arms=arms, controls=["slow.top1 > 0"], expect=["fast.top1 > slow.top1"])
    rates = [cell.recipe.data["optimizer"]["parameters"] for cell in study.cells]
    assert [rate["lr"] for rate in rates] == [0.01, 0.3]
    assert [rate["weight_decay"] for rate in rates] == [0.0005] * 2
    alike = compiled(tmp_path, base=STUDY["base"] | {"optimizer": {"sgd": {"lr": 0.01}}})
    assert [cell.recipe.data["optimizer"]["parameters"]["lr"] for cell in alike.cells] == [0.1] * 2


def test_worlds_inside_others_and_in_parents_are_replaced_too(tmp_path):
    base = {"world": {"fold": {"of": {"shapes": {}}}}, "model": "resnet", "start": "first"}
    study = compiled(tmp_path, base=base, networks={"first": {"world": "shapes", "start": None}})
    assert all("worlds/shapes" not in str(recipe.data) for recipe in study.recipes)
    assert study.cells[0].recipe.data["world"]["parameters"]["of"]["plug"] == "worlds/cifar10"


def test_the_first_setting_that_serves_all_worlds_is_taken_unless_the_scale_names_one(tmp_path):
    arms = {"erm": {}, "mixup": {"world": "digits"}}
    both = compiled(tmp_path, base={"world": "shapes", "model": "linear"}, arms=arms)
    assert both.stand_ins.setting == "digits"
    assert [cell.recipe.data["world"]["parameters"]["name"] for cell in both.cells] == ["fashion_mnist", "mnist"]
    named = compiled(tmp_path, {"studies": {"study": "digits"}}, base={"world": "shapes", "model": "linear"})
    assert named.stand_ins.setting == "digits"


def test_a_sweep_over_a_models_size_keeps_the_model(tmp_path):
    study = compiled(tmp_path, base={"world": "digits", "model": {"mlp": {}}}, sweep={"model.width": [8, 16]})
    assert [cell.recipe.data["model"]["parameters"]["width"] for cell in study.cells] == [8, 16, 8, 16]
    assert study.stand_ins.replaced == {"digits": "mnist"}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"protocol": {"localisation": {"attribution": "gradient"}}, "expect": ["mixup.pointing > erm.pointing"]}
            | {"controls": ["erm.accuracy > 0"]},
            "shapes: needs factors boxes, masks, objects",
        ),
        (
            {"base": {"world": {"shapes": {"shortcut": "patch"}}, "model": "resnet"}}
            | {"arms": {"erm": {}, "mixup": {"objective": {"group_dro": {"factors": ["group"]}}}}},
            "shapes: needs factor group",
        ),
        ({"base": {"world": {"shapes": {"classes": 5}}, "model": "resnet"}}, "shapes: cifar10 has no parameter 'classes'"),
        ({"base": {"world": "shapes", "model": {"resnet": {}}}, "arms": {"erm": {}, "mixup": {"world": "defects"}}}, None),
        ({"base": {"world": "dead_leaves", "model": "resnet"}}, "dead_leaves: no data set stands in for it"),
        (
            {"arms": {"erm": {"world": {"shapes": {"train": 64}}}, "mixup": {"world": {"shapes": {"train": 128}}}}},
            "arms erm and mixup would be the same",
        ),
    ],
    ids=["protocol reads factors", "objective names factors", "parameter", "one of two", "no stand-in", "equal arms"],
)
def test_why_a_study_keeps_its_own(tmp_path, changes, reason):
    study = compiled(tmp_path, **changes)
    assert study.stand_ins.kept == (reason or "defects: no data set stands in for it")
    assert study.stand_ins.replaced == {}
    assert study.cells[0].recipe.data["budget"] == {"epochs": 4, "batch": 32}
    assert "cifar10" not in str([cell.recipe.data for cell in study.cells])


def test_a_scale_without_settings_says_nothing(tmp_path):
    study = compiled(tmp_path, {"settings": {}})
    assert (study.stand_ins.setting, study.stand_ins.kept) == (None, None)


def test_true_labels_are_known_on_real_data_through_label_noise(tmp_path):
    """mislabelled reads clean_label, which no collection would have by itself."""
    noisy = {"shapes": {"label_noise": 0.2}}
    study = compiled(
        tmp_path,
        base={"world": noisy, "model": "resnet", "record": ["margins"]},
        arms={"all": {}, "cleaned": {"judges": ["run"], "score": "final_loss"}},
        networks={"run": {"world": noisy}},
        protocol="mislabelled",
        controls=["all.error < 1"],
        expect=["cleaned.auroc > 0.5"],
    )
    assert study.stand_ins.setting == "photographs"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"studies": {"mixup": "photos"}}, "studies.mixup: unknown setting 'photos'; did you mean 'photographs'?"),
        ({"worlds": {"shpaes": "cifar10"}}, "unknown worlds plug 'shpaes'; did you mean 'shapes'?"),
        ({"worlds": {"shapes": "cifar1"}}, "settings.photographs.worlds.shapes: unknown worlds plug 'cifar1'"),
        ({"worlds": {"shapes": {"cifar10": {"siez": 3}}}}, "shapes.cifar10: unknown parameter 'siez'; did you mean 'size'?"),
        ({"optimizers": {"sgd": {"rl": 0.1}}}, "settings.photographs.optimizers.sgd: unknown parameter 'rl'"),
        ({"models": {"resnet": {"timm": {"name": "resnet18"}, "vit": {}}}}, "names no plug"),
        ({"epochs": 3}, "unknown key 'settings.photographs.epochs'"),
    ],
)
def test_a_scale_is_checked_when_it_is_read(tmp_path, changes, said):
    scale = SCALE | {key: value for key, value in changes.items() if key == "studies"}
    setting = SCALE["settings"]["photographs"] | {key: value for key, value in changes.items() if key != "studies"}
    (tmp_path / "scales").mkdir()
    (tmp_path / "scales" / "big.yaml").write_text(yaml.safe_dump(scale | {"settings": {"photographs": setting}}))
    with pytest.raises(StudyError) as caught:
        load_scale("big", tmp_path)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.fixture(scope="module")
def cluster() -> dict[str, Study]:
    return load_studies("cluster")


def test_every_study_compiles_at_cluster_scale_and_says_what_it_is_made_of(cluster):
    for study in cluster.values():
        assert (study.stand_ins.setting is None) == (study.stand_ins.kept is not None), study.name
    kept = {name for name, study in cluster.items() if study.stand_ins.kept}
    # Their protocols or objectives read factors that no data set has, or a world has no counterpart.
    assert {"grad_cam", "whac-a-mole", "sample_complexity"} <= kept
    assert {"mixup", "augmix", "cnn_svm", "fgsm", "simsiam", "aum"} <= set(cluster) - kept


def test_no_study_file_mentions_a_scale_or_a_setting(cluster):
    scale = load_scale("cluster")
    assert set(scale.studies) <= set(cluster)
    for study in cluster.values():
        assert not {"scale", "setting", *scale.settings} & set(yaml.safe_load(study.text)), study.name


def test_full_budgets_on_full_data_sets(cluster):
    for study in cluster.values():
        for recipe in study.recipes if study.stand_ins.setting else ():
            for node in walk(recipe.data["world"]):
                if node.get("plug") in ("worlds/cifar10", "worlds/cifar100"):
                    assert node["parameters"]["train"] == 50000
                if node.get("plug") == "worlds/imagenet":
                    assert node["parameters"]["train"] == 1281167


def test_a_job_is_one_network_at_one_seed(cluster):
    scale = load_scale("cluster")
    plan = Plan.at(scale, cluster.values())
    assert all(len(bundle.recipes) == len(bundle.seeds) == 1 for bundle in plan.bundles.values())
    # A study whose text was changed has other seeds than those that share its networks.
    wanted = {(recipe, block) for study in cluster.values() for recipe in study.recipes for block in study.blocks}
    assert len(plan.bundles) == len(wanted)
    child = next(bundle for bundle in plan.bundles.values() if bundle.parents and bundle.block.first == 3)
    needed = plan.needs(child.parents, child.block)
    assert needed
    assert all(name.endswith("-3-3") for name in needed)


def test_several_seeds_a_job_cover_all_of_them(tmp_path):
    study = compiled(tmp_path, {"first_look": 4, "block": 2})
    plan = Plan([(study, study.blocks)])
    seeds = [bundle.seeds for bundle in plan.bundles.values() if study.cells[0].recipe in bundle.recipes]
    assert [list(part) for part in seeds] == [[0, 1], [2, 3]]
    study = compiled(tmp_path, {"first_look": 3, "block": 3})
    whole = Plan([(study, study.blocks)])
    assert [list(bundle.seeds) for bundle in whole.bundles.values()] == [[0, 1, 2]] * 2


def test_what_was_tested_names_what_stood_in(tmp_path):
    study = compiled(tmp_path)
    networks = {recipe: [11_173_962] for recipe in study.recipes}
    assert phrase(study, networks) == "32 px cifar10 (50000 training images), 11.2M-parameter resnet18"
    published = compiled(tmp_path, base={"world": "shapes", "model": {"timm": {"name": "resnet18", "pretrained": True}}})
    assert "resnet18 from published weights" in phrase(published, {})
