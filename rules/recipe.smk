"""Recipe: one job trains a recipe (or a sweep or pool of small ones) at the repetitions of a block."""


rule train:
    input:
        lambda wildcards: manifests(PLAN.bundle(wildcards.bundle).parents, PLAN.bundle(wildcards.bundle).block),
        lambda wildcards: materials(*(recipe.data for recipe in PLAN.bundle(wildcards.bundle).recipes)),
    output:
        f"{RESULTS}/networks/{{bundle}}.json",
    log:
        f"{RESULTS}/logs/train/{{bundle}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/train/{{bundle}}.tsv"
    conda:
        "../envs/environment.yaml"
    threads: SCALE.job.threads
    resources:
        mem_mb=growing(SCALE.job.train_mb),
        runtime=growing(lambda wildcards: FORECAST.minutes(PLAN.bundle(wildcards.bundle)), SCALE.job.longest),
        gpu=lambda wildcards: gpus(FORECAST.gpus(PLAN.bundle(wildcards.bundle))),
    params:
        recipes=lambda wildcards: PLAN.bundle(wildcards.bundle).text,
        code=lambda wildcards: PLAN.bundle(wildcards.bundle).code,
        block=lambda wildcards: PLAN.bundle(wildcards.bundle).block.name,
        device=CONFIG.device,
        draws=CONFIG.draws,
        precision=SCALE.precision,
    message:
        "train {wildcards.bundle}"
    script:
        "../workflow/scripts/train.py"
