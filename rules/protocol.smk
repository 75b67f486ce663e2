"""Protocol: measure a study's arms on their trained networks."""


rule measure:
    input:
        lambda wildcards: manifests(STUDIES[wildcards.study].recipes),
        lambda wildcards: materials(*(data for cell in STUDIES[wildcards.study].cells for data in (cell.recipe.data, cell.protocol))),
    output:
        observations=RESULTS + "/observations/{study}/observations.csv",
        arrays=RESULTS + "/observations/{study}/arrays.npz",
        provenance=RESULTS + "/observations/{study}/provenance.json",
    params:
        plan=lambda wildcards: STUDIES[wildcards.study].digest,
        code=lambda wildcards: code_digest(STUDIES[wildcards.study]),
        scale=CONFIG.scale,
        device=CONFIG.device,
        precision=SCALE.precision,
    log:
        RESULTS + "/logs/measure/{study}.log",
    benchmark:
        RESULTS + "/benchmarks/measure/{study}.tsv"
    threads: SCALE.job.threads
    resources:
        mem_mb=growing(SCALE.job.measure_mb),
        runtime=growing(SCALE.job.minutes, SCALE.job.longest),
        gpu=gpus(SCALE.job.gpus),
    message:
        "measure {wildcards.study}"
    conda:
        "../envs/environment.yaml"
    script:
        "../workflow/scripts/measure.py"
