"""Data sets: downloaded, checked and unpacked before the jobs that read them, where a network can be reached."""

from assay import datasets
from assay.inputs import shown


def materials(*data):
    """The markers of the data sets that canonical data read."""
    return [shown(datasets.marker(name)) for name in datasets.needed(data)]


def check_data_sets():
    """Stop before the first job when a data set is missing that only a person can get."""
    recipes = [recipe.data for study in STUDIES.values() for recipe in study.recipes]
    protocols = [cell.protocol for study in STUDIES.values() for cell in study.cells]
    try:
        datasets.check_present(datasets.needed([*recipes, *protocols]))
    except AssayError as error:
        sys.exit(str(error))


wildcard_constraints:
    dataset="|".join(datasets.table().datasets),


rule retrieve:
    output:
        shown(datasets.folder()) + "/{dataset}.json",
    log:
        RESULTS + "/logs/retrieve/{dataset}.log",
    localrule: True
    message:
        "retrieve {wildcards.dataset}"
    script:
        "../workflow/scripts/retrieve.py"
