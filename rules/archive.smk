"""Archive: with `--config evidence=archive`, evidence and cards are unpacked from the last release instead of computed."""

from assay.artifacts.archiving import archived_worlds

WORLDS = archived_worlds(STUDIES.values())
TRAINED = []


ruleorder: unpack > measure
ruleorder: unpack > world


rule unpack:
    input:
        "archive.sha256",
    output:
        expand(RESULTS + "/observations/{study}/{file}", study=STUDIES, file=EVIDENCE),
        expand(RESULTS + "/worlds/{world}/{file}", world=WORLDS, file=("card.json", "samples.npz")),
    log:
        RESULTS + "/logs/unpack.log",
    benchmark:
        RESULTS + "/benchmarks/unpack.tsv"
    localrule: True
    message:
        "unpack the archive"
    conda:
        "../envs/environment.yaml"
    script:
        "../workflow/scripts/unpack.py"
