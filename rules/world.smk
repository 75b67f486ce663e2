"""World: a card and samples of every world that studies draw from."""

from assay.evidence.cards import worlds_of
from assay.language.recipes import canonical, plugs_in

WORLDS = worlds_of(STUDIES.values())


rule world:
    input:
        lambda wildcards: materials(WORLDS[wildcards.world]),
    output:
        card=RESULTS + "/worlds/{world}/card.json",
        samples=RESULTS + "/worlds/{world}/samples.npz",
    params:
        world=lambda wildcards: canonical(WORLDS[wildcards.world]),
        draws=CONFIG.draws,
        code=lambda wildcards: code_behind("assay.evidence.cards", plugs_in(WORLDS[wildcards.world])),
    log:
        RESULTS + "/logs/world/{world}.log",
    benchmark:
        RESULTS + "/benchmarks/world/{world}.tsv"
    message:
        "draw world {wildcards.world}"
    conda:
        "../envs/environment.yaml"
    script:
        "../workflow/scripts/world.py"
