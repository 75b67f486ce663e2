from snakemake.utils import min_version

min_version("9.0")


configfile: "config/config.yaml"


include: "rules/common.smk"
include: "rules/world.smk"
include: "rules/recipe.smk"
include: "rules/protocol.smk"
include: "rules/verdict.smk"
include: "rules/report.smk"


rule all:
    default_target: True
    input:
        RESULTS + "/report/manifest.json",


onstart:
    hold_results_folder()


onerror:
    render_what_there_is()
