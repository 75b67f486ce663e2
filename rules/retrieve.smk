"""Data sets: downloaded, checked and unpacked before the jobs that read them, where a network can be reached."""

from assay import datasets
from assay.language.inputs import shown


rule retrieve:
    output:
        f"{shown(datasets.folder())}/{{dataset}}.json",
    log:
        f"{RESULTS}/logs/retrieve/{{dataset}}.log",
    localrule: True
    conda:
        "../envs/environment.yaml"
    message:
        "retrieve {wildcards.dataset}"
    script:
        "../workflow/scripts/retrieve.py"
