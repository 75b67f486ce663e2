"""Protocol: measure a block of a study on its trained networks."""

from assay.evidence.tables import code_digest


rule measure:
    input:
        lambda wildcards: manifests(study_of(wildcards).recipes, block_of(wildcards)[1]),
        lambda wildcards: materials(*(data for cell in study_of(wildcards).cells for data in (cell.recipe.data, cell.protocol))),
    output:
        observations=f"{RESULTS}/observations/{{part}}/observations.csv",
        arrays=f"{RESULTS}/observations/{{part}}/arrays.npz",
        provenance=f"{RESULTS}/observations/{{part}}/provenance.json",
    log:
        f"{RESULTS}/logs/measure/{{part}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/measure/{{part}}.tsv"
    conda:
        "../envs/environment.yaml"
    threads: SCALE.job.threads
    resources:
        mem_mb=growing(SCALE.job.measure_mb),
        runtime=growing(SCALE.job.minutes, SCALE.job.longest),
        gpu=gpus(SCALE.job.gpus),
    params:
        plan=lambda wildcards: study_of(wildcards).digest,
        code=lambda wildcards: code_digest(study_of(wildcards)),
        scale=CONFIG.scale,
        device=CONFIG.device,
        draws=CONFIG.draws,
        precision=SCALE.precision,
    message:
        "measure {wildcards.part}"
    script:
        "../workflow/scripts/measure.py"


use rule measure as recheck with:
    output:
        observations=f"{RESULTS}/recheck/{{again}}/observations.csv",
        arrays=f"{RESULTS}/recheck/{{again}}/arrays.npz",
        provenance=f"{RESULTS}/recheck/{{again}}/provenance.json",
        agreement=f"{RESULTS}/recheck/{{again}}/agreement.json",
    log:
        f"{RESULTS}/logs/recheck/{{again}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/recheck/{{again}}.tsv"
    message:
        "measure {wildcards.again} again"
