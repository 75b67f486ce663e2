"""Recipe: one job trains a recipe (or a sweep or pool of small ones) at all its seeds, or at one on a cluster."""


rule train:
    input:
        lambda wildcards: manifests(PLAN.bundle(wildcards.bundle).parents, PLAN.bundle(wildcards.bundle).seeds),
        lambda wildcards: materials(*(recipe.data for recipe in PLAN.bundle(wildcards.bundle).recipes)),
    output:
        RESULTS + "/networks/{bundle}.json",
    params:
        recipes=lambda wildcards: PLAN.bundle(wildcards.bundle).text,
        code=lambda wildcards: PLAN.bundle(wildcards.bundle).code,
        seeds=lambda wildcards: len(PLAN.bundle(wildcards.bundle).seeds),
        first_seed=lambda wildcards: PLAN.bundle(wildcards.bundle).seeds.start,
        device=CONFIG.device,
        precision=SCALE.precision,
    log:
        RESULTS + "/logs/train/{bundle}.log",
    benchmark:
        RESULTS + "/benchmarks/train/{bundle}.tsv"
    threads: SCALE.job.threads
    resources:
        mem_mb=growing(SCALE.job.train_mb),
        runtime=growing(lambda wildcards: FORECAST.minutes(PLAN.bundle(wildcards.bundle)), SCALE.job.longest),
        gpu=lambda wildcards: gpus(FORECAST.gpus(PLAN.bundle(wildcards.bundle))),
    message:
        "train {wildcards.bundle}"
    conda:
        "../envs/environment.yaml"
    script:
        "../workflow/scripts/train.py"
