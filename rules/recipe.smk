"""Recipe: one job trains a recipe (or a sweep or pool of small ones) at all its seeds."""


rule train:
    input:
        lambda wildcards: manifests(PLAN.bundle(wildcards.bundle).parents),
        lambda wildcards: materials(*(recipe.data for recipe in PLAN.bundle(wildcards.bundle).recipes)),
    output:
        RESULTS + "/networks/{bundle}.json",
    params:
        recipes=lambda wildcards: PLAN.bundle(wildcards.bundle).text,
        code=lambda wildcards: PLAN.bundle(wildcards.bundle).code,
        seeds=SEEDS,
        device=CONFIG.device,
    log:
        RESULTS + "/logs/train/{bundle}.log",
    benchmark:
        RESULTS + "/benchmarks/train/{bundle}.tsv"
    threads: 1
    resources:
        mem_mb=1500,
        gpu=CONFIG.gpus,
    message:
        "train {wildcards.bundle}"
    script:
        "../workflow/scripts/train.py"
