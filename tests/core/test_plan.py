"""Jobs: which networks are trained together, each once, parents before children."""

from collections import Counter
from dataclasses import replace

from assay.language.scales import load_scale
from assay.language.studies import load_studies
from assay.networks.plan import Plan

STUDIES = list(load_studies("ci").values())


def test_every_network_is_in_one_job_however_many_share_it():
    wanted = {recipe for study in STUDIES for recipe in study.recipes}
    for networks in (1, 4, 100):
        bundles = Plan(STUDIES, networks_per_job=networks).bundles.values()
        planned = [recipe for bundle in bundles for recipe in bundle.recipes]
        assert len(planned) == len(set(planned))
        assert set(planned) == wanted


def test_jobs_share_up_to_so_many_networks_of_one_depth():
    alone, shared = Plan(STUDIES, networks_per_job=1), Plan(STUDIES, networks_per_job=4)
    users = Counter(recipe for study in STUDIES for recipe in study.recipes)
    few = [few for study in STUDIES if 1 < len(few := [r for r in study.recipes if users[r] == 1]) <= 4]
    assert few
    for recipes in few:
        jobs = {bundle for recipe in recipes for bundle in shared.bundles_of[recipe]}
        assert len(jobs) == len({recipe.depth for recipe in recipes})
    groups = {len(bundle.recipes) for bundle in alone.bundles.values()}
    for bundle in shared.bundles.values():
        assert len({recipe.depth for recipe in bundle.recipes}) == 1
        assert len(bundle.recipes) <= 4 or len(bundle.recipes) in groups
        assert all(recipe not in bundle.recipes for recipe in bundle.parents)


def test_what_several_studies_need_is_trained_apart():
    plan = Plan(STUDIES, networks_per_job=100)
    users = {recipe: [study.name for study in STUDIES if recipe in study.recipes] for recipe in plan.bundles_of}
    assert any(len(names) > 1 for names in users.values())
    for bundle in plan.bundles.values():
        assert len(bundle.recipes) == 1 or len({tuple(users[recipe]) for recipe in bundle.recipes}) == 1


def test_networks_that_the_same_studies_need_share_jobs():
    users = {}
    for study in STUDIES:
        for recipe in study.recipes:
            users.setdefault(recipe, []).append(study.name)
    plan = Plan(STUDIES, networks_per_job=100)
    of = {}
    for recipe, names in users.items():
        of.setdefault((tuple(names), recipe.depth), []).append({bundle.name for bundle in plan.bundles_of[recipe]})
    several = [jobs for (names, _), jobs in of.items() if len(names) > 1 and len(jobs) > 1]
    assert several
    assert all(len(set.union(*jobs)) == 1 for jobs in several)


def test_a_scale_says_how_large_its_jobs_are():
    assert Plan.at(load_scale("ci"), STUDIES).bundles.keys() == Plan(STUDIES, networks_per_job=16).bundles.keys()


def test_a_network_is_trained_once_with_all_that_any_study_records():
    study = next(study for study in STUDIES if all(not recipe.records for recipe in study.recipes))
    recorded = tuple(replace(cell, recipe=cell.recipe.recording(["margins"])) for cell in study.cells)
    both = [study, replace(study, name="other", cells=recorded)]
    measured = {cell.recipe for cell in study.cells} & set(study.recipes)
    assert measured
    for studies in (both, both[::-1]):
        plan = Plan(studies)
        planned = [recipe for bundle in plan.bundles.values() for recipe in bundle.recipes]
        assert len(planned) == len(set(planned)) == len(study.recipes)
        assert {recipe for recipe in planned if recipe.records == ("margins",)} >= measured
        assert plan.needs(both[0].recipes) == plan.needs(both[1].recipes)
