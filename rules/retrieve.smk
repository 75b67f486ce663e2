"""Data sets: downloaded, checked and unpacked before the jobs that read them, where a network can be reached."""


rule retrieve:
    output:
        f"{shown(datasets.folder())}/{{dataset}}.json",
    log:
        f"{RESULTS}/logs/retrieve/{{dataset}}.log",
    localrule: True
    message:
        "retrieve {wildcards.dataset}"
    conda:
        "../envs/environment.yaml"
    script:
        "../workflow/scripts/retrieve.py"
