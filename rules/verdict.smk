"""Verdict: judge all studies together, since the false-discovery rate is a property of the whole report."""


rule judge:
    input:
        expand(RESULTS + "/observations/{study}/{file}", study=STUDIES, file=EVIDENCE),
    output:
        RESULTS + "/verdicts.json",
    params:
        judgements=[study.judgement for study in STUDIES.values()],
        code=code_behind("assay.judging.judging"),
        scale=CONFIG.scale,
    log:
        RESULTS + "/logs/judge.log",
    benchmark:
        RESULTS + "/benchmarks/judge.tsv"
    message:
        "judge {}".format("1 study" if len(STUDIES) == 1 else f"{len(STUDIES)} studies")
    conda:
        "../envs/environment.yaml"
    script:
        "../workflow/scripts/judge.py"
