"""Jobs: which networks are trained together at which repetitions, each once, parents before children."""

from collections import Counter

import pytest
from project_tree import Tree
from various import various

from assay.errors import StudyError
from assay.language.blocks import Block
from assay.language.recipes import canonical
from assay.language.scales import load_scale
from assay.networks.plan import Plan

STUDIES = list(various().values())
FIRST, SECOND = Block(0, 0), Block(1, 1)


def plan(networks_per_job: int, *blocks: Block) -> Plan:
    """All studies at these blocks, or at the first."""
    return Plan(((study, blocks or (FIRST,)) for study in STUDIES), networks_per_job)


def test_every_network_is_in_one_job_however_many_share_it():
    wanted = {recipe for study in STUDIES for recipe in study.recipes}
    for networks in (1, 4, 100):
        bundles = plan(networks).bundles.values()
        planned = [recipe for bundle in bundles for recipe in bundle.recipes]
        assert len(planned) == len(set(planned))
        assert set(planned) == wanted


def test_jobs_share_up_to_so_many_networks_of_one_depth():
    alone, shared = plan(1), plan(4)
    users = Counter(recipe for study in STUDIES for recipe in study.recipes)
    few = [few for study in STUDIES if 1 < len(few := [r for r in study.recipes if users[r] == 1]) <= 4]
    assert few
    for recipes in few:
        jobs = {shared.bundle_of[recipe, FIRST] for recipe in recipes}
        assert len(jobs) == len({recipe.depth for recipe in recipes})
    assert all(len(bundle.recipes) == 1 for bundle in alone.bundles.values())
    groups = {len(bundle.recipes) for bundle in plan(2).bundles.values()}  # an arm's sweep is never cut
    for bundle in shared.bundles.values():
        assert len({recipe.depth for recipe in bundle.recipes}) == 1
        assert len(bundle.recipes) <= 4 or len(bundle.recipes) in groups
        assert all(recipe not in bundle.recipes for recipe in bundle.parents)


def test_what_several_studies_need_is_trained_apart():
    found = plan(100)
    users = {recipe: [study.name for study in STUDIES if recipe in study.recipes] for recipe in found.recipes}
    assert any(len(names) > 1 for names in users.values())
    for bundle in found.bundles.values():
        assert len(bundle.recipes) == 1 or len({tuple(users[recipe]) for recipe in bundle.recipes}) == 1


def test_networks_that_the_same_studies_need_share_jobs():
    users = {}
    for study in STUDIES:
        for recipe in study.recipes:
            users.setdefault(recipe, []).append(study.name)
    found = plan(100)
    of = {}
    for recipe, names in users.items():
        of.setdefault((tuple(names), recipe.depth), []).append({found.bundle_of[recipe, FIRST].name})
    several = [jobs for (names, _), jobs in of.items() if len(names) > 1 and len(jobs) > 1]
    assert several
    assert all(len(set.union(*jobs)) == 1 for jobs in several)


def test_a_scale_says_how_large_its_jobs_are():
    assert Plan.at(load_scale("ci"), STUDIES).bundles.keys() == plan(16).bundles.keys()


def test_every_block_has_jobs_of_its_own_with_the_same_networks():
    one, both = plan(16), plan(16, FIRST, SECOND)
    later = {name.removesuffix("-0-0") + "-1-1" for name in one.bundles}
    assert both.bundles.keys() == one.bundles.keys() | later
    for (recipe, block), bundle in both.bundle_of.items():
        assert bundle.block == block
        assert bundle.seeds == block.repetitions
        assert recipe in bundle.recipes
        assert bundle.recipes == one.bundle_of[recipe, FIRST].recipes
    assert both.recipes == one.recipes


def test_a_job_is_named_after_its_network_or_its_study_and_after_its_block():
    for bundle in plan(16, Block(5, 9)).bundles.values():
        assert bundle.name.endswith("-5-9")
        if len(bundle.recipes) == 1:
            assert bundle.name == f"{bundle.recipes[0].name}-5-9"
        else:
            study = bundle.name.partition(f"-{len(bundle.recipes)}-networks-")[0]
            assert set(bundle.recipes) <= set(next(each.recipes for each in STUDIES if each.name == study))


def test_a_study_waits_for_the_jobs_of_its_block_alone():
    study = STUDIES[0]
    found = Plan([(study, (FIRST, SECOND))], networks_per_job=1)
    assert found.needs(study.recipes, SECOND) == sorted(f"{recipe.name}-1-1" for recipe in study.recipes)
    with pytest.raises(KeyError):
        found.needs(study.recipes, Block(2, 2))


def test_studies_may_ask_for_different_blocks():
    first, second = STUDIES[0], STUDIES[1]
    shared = set(first.recipes) & set(second.recipes)
    found = Plan([(first, (FIRST,)), (second, (SECOND,))], networks_per_job=16)
    trained = {block: {recipe for recipe, at in found.bundle_of if at == block} for block in (FIRST, SECOND)}
    assert trained == {FIRST: set(first.recipes), SECOND: set(second.recipes)}
    assert all(found.bundle_of[recipe, FIRST] != found.bundle_of[recipe, SECOND] for recipe in shared)


def test_a_shared_training_records_what_studies_beside_want_recorded(tmp_path):
    """So that a run of one study leaves networks which the others need not train again."""
    tree = Tree(tmp_path)
    tree.scale()
    tree.study()
    tree.study("other", arms={"erm": {"record": ["margins"]}, "mixup": {"model": "mlp"}})
    study, other = tree.compiled(), tree.compiled("other")
    shared = study.cells[0].recipe
    assert shared in other.recipes
    alone, beside = (Plan([(study, study.blocks)], beside=others) for others in ((), (study, other)))
    (block,) = study.blocks
    assert alone.bundle_of[shared, block].recipes[0].records == ()
    assert beside.bundle_of[shared, block].recipes[0].records == ("margins",)
    assert beside.bundle_of[shared, block].text == canonical([shared.data | {"record": ["margins"]}])
    assert alone.bundles.keys() == beside.bundles.keys()  # neither what is recorded nor who else there is makes another job


def test_a_job_that_is_not_planned_is_said_in_one_line():
    with pytest.raises(StudyError, match=r"^unknown network job 'nothing-0-0'.* \(allowed: .*\)$"):
        plan(16).bundle("nothing-0-0")
