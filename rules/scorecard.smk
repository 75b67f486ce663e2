"""A workflow of its own, `assay measure`: any models on any data, one job for each model and group of metrics.

A second model adds its own jobs alone; what is there and unchanged is kept.
"""

from pathlib import Path

from snakemake.utils import min_version

from assay.language.recipes import canonical
from assay.scorecard.request import Request, code_of_pages
from assay.scorecard.jobs import ANSWERS, FILES, MEASURED
from assay.scorecard.pages import PAGES

min_version("9.0")

OUT = config["out"]
REQUEST = Request.read(Path(OUT, "request.json"))
MODELS = [model.key for model in REQUEST.models]


def shown_to(wildcards):
    """The images of a model."""
    return expand("{out}/images/{images}/{file}", out=OUT, images=REQUEST.model(wildcards.model).images, file=FILES)


wildcard_constraints:
    images="[0-9a-f]{8}",
    model="[A-Za-z0-9._-]+",
    group="[a-z]+",


localrules:
    everything,
    scorecard,


rule everything:
    default_target: True
    input:
        # All by name: Snakemake does not make a missing file again just because one made from it is there.
        expand("{out}/images/{images}/{file}", out=OUT, images=REQUEST.images, file=FILES),
        expand("{out}/answers/{model}/{file}", out=OUT, model=MODELS, file=ANSWERS),
        expand("{out}/measured/{model}/{group}/{file}", out=OUT, model=MODELS, group=REQUEST.counts, file=MEASURED),
        expand("{out}/{page}", out=OUT, page=PAGES),


rule scorecard:
    input:
        expand("{out}/measured/{model}/{group}/{file}", out=OUT, model=MODELS, group=REQUEST.counts, file=MEASURED),
        expand("{out}/images/{images}/about.json", out=OUT, images=REQUEST.images),
    output:
        expand("{out}/{page}", out=OUT, page=PAGES),
    log:
        f"{OUT}/logs/scorecard.log",
    conda:
        "../envs/environment.yaml"
    params:
        models=canonical([[model.key, model.name] for model in REQUEST.models]),
        code=code_of_pages(),
    message:
        "report"
    script:
        "../workflow/scripts/scorecard.py"


rule images:
    output:
        expand(f"{OUT}/images/{{{{images}}}}/{{file}}", file=FILES),
    log:
        f"{OUT}/logs/images/{{images}}.log",
    conda:
        "../envs/environment.yaml"
    threads: REQUEST.threads
    resources:
        mem_mb=4000,
        runtime=240,
    params:
        data=lambda wildcards: canonical(REQUEST.images[wildcards.images]),
        skip_unreadable=REQUEST.skip_unreadable,
    message:
        "images {wildcards.images}"
    script:
        "../workflow/scripts/scorecard_images.py"


rule answers:
    input:
        shown_to,
    output:
        expand(f"{OUT}/answers/{{{{model}}}}/{{file}}", file=ANSWERS),
    log:
        f"{OUT}/logs/answers/{{model}}.log",
    conda:
        "../envs/environment.yaml"
    threads: REQUEST.threads
    resources:
        mem_mb=REQUEST.megabytes,
        runtime=lambda wildcards: REQUEST.minutes(wildcards.model, "answers"),
        gpu=REQUEST.gpu,
    params:
        state=lambda wildcards: REQUEST.model(wildcards.model).state,
        device=REQUEST.device,
    message:
        "answers {wildcards.model}"
    script:
        "../workflow/scripts/scorecard_answers.py"


rule score:
    input:
        shown_to,
        expand(f"{OUT}/answers/{{{{model}}}}/{{file}}", file=ANSWERS),
    output:
        expand(f"{OUT}/measured/{{{{model}}}}/{{{{group}}}}/{{file}}", file=MEASURED),
    log:
        f"{OUT}/logs/score/{{model}}/{{group}}.log",
    conda:
        "../envs/environment.yaml"
    threads: REQUEST.threads
    resources:
        mem_mb=REQUEST.megabytes,
        runtime=lambda wildcards: REQUEST.minutes(wildcards.model, wildcards.group),
        gpu=REQUEST.gpu,
    params:
        looked_at=lambda wildcards: REQUEST.counts[wildcards.group],
        code=lambda wildcards: REQUEST.code(wildcards.group),
        device=REQUEST.device,
    message:
        "measure {wildcards.group} of {wildcards.model}"
    script:
        "../workflow/scripts/scorecard_score.py"
