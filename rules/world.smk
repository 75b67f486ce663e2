"""World: a card and samples of every world that studies draw from."""

from assay.cards import card_name
from assay.recipes import canonical, parents_in, plugs_in

WORLDS = {
    card_name(cell.recipe.data["world"]): cell.recipe.data["world"]
    for study in STUDIES.values()
    for cell in study.cells
    if not parents_in(cell.recipe.data["world"])
}


rule world:
    input:
        lambda wildcards: materials(WORLDS[wildcards.world]),
    output:
        card=RESULTS + "/worlds/{world}/card.json",
        samples=RESULTS + "/worlds/{world}/samples.npz",
    params:
        world=lambda wildcards: canonical(WORLDS[wildcards.world]),
        code=lambda wildcards: code_behind("assay.cards", plugs_in(WORLDS[wildcards.world])),
    log:
        RESULTS + "/logs/world/{world}.log",
    benchmark:
        RESULTS + "/benchmarks/world/{world}.tsv"
    message:
        "draw world {wildcards.world}"
    script:
        "../workflow/scripts/world.py"
