"""Verdict: judge every study among the claims that are released, since the false-discovery rate is a property of them all."""

from assay.artifacts.ledger import stamp
from assay.evidence.tables import FILES
from assay.language.recipes import canonical
from assay.storage.places import WORK


rule judge:
    input:
        expand(f"{RESULTS}/observations/{{part}}/{{file}}", part=LOCAL, file=FILES),
    output:
        f"{RESULTS}/verdicts.json",
    log:
        f"{RESULTS}/logs/judge.log",
    benchmark:
        f"{RESULTS}/benchmarks/judge.tsv"
    conda:
        "../envs/environment.yaml"
    params:
        judgements="\n".join(STUDIES[study].judgement for study in SOURCES.shown),
        evidence=evidence_lines(SOURCES.shown),
        release=stamp(WORK),
        retired=canonical({study: SOURCES.retired[study] for study in SOURCES.shown if study in SOURCES.retired}),
        code=code_behind("assay.judging.judging"),
        scale=CONFIG.scale,
    message:
        "judge {}".format("1 study" if len(SOURCES.shown) == 1 else f"{len(SOURCES.shown)} studies")
    script:
        "../workflow/scripts/judge.py"
