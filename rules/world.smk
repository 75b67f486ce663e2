"""World: a card and samples of every world that studies draw from and the archive has no card of."""

from assay.language.recipes import canonical, plugs_in


rule world:
    input:
        lambda wildcards: materials(WORLDS[wildcards.world]),
    output:
        card=f"{RESULTS}/worlds/{{world}}/card.json",
        samples=f"{RESULTS}/worlds/{{world}}/samples.npz",
    log:
        f"{RESULTS}/logs/world/{{world}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/world/{{world}}.tsv"
    # Before trainings: here it shows whether a world's arrays are what networks take.
    priority: 10
    conda:
        "../envs/environment.yaml"
    params:
        world=lambda wildcards: canonical(WORLDS[wildcards.world]),
        draws=CONFIG.draws,
        code=lambda wildcards: code_behind("assay.evidence.cards", plugs_in(WORLDS[wildcards.world])),
    message:
        "draw world {wildcards.world}"
    script:
        "../workflow/scripts/world.py"
