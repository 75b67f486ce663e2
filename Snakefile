from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version

from assay.evidence.tables import FILES
from assay.language.inputs import shown
from assay.storage.places import FOLDER, WORK, config_of

min_version("9.0")

if FOLDER not in (None, Path.cwd()):
    raise WorkflowError(f"this is inside the project folder {FOLDER}, where results are to lie; run it there: cd {FOLDER}")


configfile: shown(config_of(WORK) / "config.yaml")


report: "report/captions/workflow.rst"


include: "rules/common.smk"
include: "rules/helpers.smk"
include: "rules/hooks.smk"
include: "rules/retrieve.smk"
include: "rules/world.smk"
include: "rules/recipe.smk"
include: "rules/protocol.smk"
include: "rules/verdict.smk"
include: "rules/report.smk"
include: "rules/preflight.smk"


# Shorter than a submission to a cluster.
localrules:
    all,
    world,
    figure,
    archived_figures,
    figures,
    judge,
    report,


rule all:
    default_target: True
    input:
        # Networks, evidence and figures are asked for by name: Snakemake does not make a missing file again just because one
        # made from it is there.
        expand(f"{RESULTS}/networks/{{bundle}}.json", bundle=PLAN.bundles),
        expand(f"{RESULTS}/worlds/{{world}}/{{file}}", world=WORLDS, file=("card.json", "samples.npz")),
        expand(f"{RESULTS}/observations/{{part}}/{{file}}", part=LOCAL, file=FILES),
        expand(f"{RESULTS}/figures/{{study}}.svg", study=SOURCES.shown),
        f"{RESULTS}/verdicts.json",
        f"{RESULTS}/report/manifest.json",


onstart:
    STOP.watch()
    logger.addFilter(STOP.lets_through)
    pull_inputs()
    check_data_sets()
    hold_results_folder()
    take_over_slurm_jobs()
    keep_notes()  # its jobs read the same modules
    say_plan()


onerror:
    render_what_there_is()
