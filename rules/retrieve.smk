"""Data sets: downloaded, checked and unpacked before the jobs that read them, where a network can be reached."""

from assay import datasets


def materials(*data):
    """The markers of the data sets that canonical data read."""
    return [shown(datasets.marker(name)) for name in datasets.needed(data)]


def check_data_sets():
    """Stop before the first job when this run needs a data set that only a person can get."""
    wanted = sorted(job.wildcards.dataset for job in workflow.dag.needrun_jobs() if job.rule.name == "retrieve")
    try:
        datasets.check_present(wanted)
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
    conda:
        "../envs/environment.yaml"
    script:
        "../workflow/scripts/retrieve.py"
