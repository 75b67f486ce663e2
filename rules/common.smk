"""Read and check everything before the first job: the configuration, the studies, and where each one's evidence comes from."""

import os
import sys
from dataclasses import replace
from pathlib import Path

from assay import datasets
from assay.artifacts.entries import read_entries
from assay.artifacts.texts import refuse_unrevised
from assay.errors import AssayError
from assay.evidence.cards import worlds_of
from assay.language.configuration import load_config, refuse_two_configs
from assay.language.draws import JUDGED, VARIABLE
from assay.language.frozen import refuse_unfrozen
from assay.language.scales import load_scale
from assay.language.studies import drafts, load_left_out, load_studies, skipped, study_paths
from assay.networks.plan import Plan
from assay.pipeline.deciding import decide
from assay.pipeline.fitting import refuse_unfit
from assay.pipeline.forecast import Forecast
from assay.pipeline.rechecking import choose
from assay.pipeline.sources import Sources
from assay.provenance import proofs
from assay.provenance.commits import commit
from assay.provenance.platforms import device_here, platform_here
from assay.storage.places import PROJECT, warning_of_other_checkout

if workflow.is_main_process and (warning := warning_of_other_checkout(Path.cwd(), Path(workflow.basedir))):
    print(warning, file=sys.stderr)

try:
    if workflow.is_main_process:
        refuse_two_configs(sys.argv)
    CONFIG = load_config(config)
    os.environ[VARIABLE] = CONFIG.draws
    os.environ.setdefault("ASSAY_DATASETS", CONFIG.datasets)
    SCALE = load_scale(CONFIG.scale)
    EVERY = CONFIG.studies == "all"
    STUDIES = load_studies(CONFIG.scale, with_drafts=() if EVERY else CONFIG.studies)
    CHOSEN = list(STUDIES if EVERY else load_studies(CONFIG.scale, only=CONFIG.studies))
    LEFT_OUT = load_left_out(CONFIG.scale)
    if workflow.is_main_process and EVERY and (line := skipped(drafts(study_paths()))):
        print(line, file=sys.stderr)
    ENTRIES = read_entries()
    proofs.committed()  # a damaged file is said before the first job
except AssayError as error:
    raise WorkflowError(str(error)) from None

RESULTS = CONFIG.results
PLATFORM = platform_here(device_here(CONFIG.device), SCALE.job.threads, SCALE.precision)


def sources():
    """Where each study's evidence comes from: decided by the main process, read by the jobs of its run."""
    if not workflow.is_main_process:
        return Sources.read(Path(RESULTS))
    mode = CONFIG.evidence if CONFIG.draws == JUDGED else "recomputed"  # nothing of a trial is archived
    return decide(STUDIES, CHOSEN, mode, Path(RESULTS), PLATFORM)


def with_rechecks(found):
    """The sources with the archived blocks that this run computes again: some, where it makes the whole report, or those asked
    for by name."""
    by_name = not isinstance(CONFIG.recheck, float)
    if not workflow.is_main_process or CONFIG.evidence != "auto" or not (by_name or CONFIG.studies == "all" and CONFIG.recheck):
        return found
    return replace(found, rechecked=choose(CONFIG.recheck, found, STUDIES, PLATFORM, commit(PROJECT)[0]))


def measured():
    """The blocks of each study that this run measures."""
    found = {}
    for study, block in (*SOURCES.computed, *SOURCES.rechecked):
        found.setdefault(study, []).append(block)
    return found


try:
    SOURCES = with_rechecks(sources())
    MEASURED = measured()
    if workflow.is_main_process:
        refuse_unfrozen(CONFIG, [STUDIES[name] for name in dict(SOURCES.computed)], say=lambda line: print(line, file=sys.stderr))
        refuse_unrevised(CONFIG, [STUDIES[name] for name in CHOSEN])
        refuse_unfit([STUDIES[name] for name in dict(SOURCES.computed)])
    ASKED = [(STUDIES[name], blocks) for name, blocks in MEASURED.items()]
    PLAN = Plan(ASKED, SCALE.networks_per_job, beside=STUDIES.values())
    FORECAST = Forecast(PLAN, SCALE, Path(RESULTS, "networks"))
except AssayError as error:
    raise WorkflowError(str(error)) from None

LOCAL = [f"{study}/{block.name}" for study, block in SOURCES.local]
BLOCKS_AGAIN = {f"{study}/{block.name}": (study, block) for study, block in SOURCES.rechecked}
BLOCKS = {f"{study}/{block.name}": (study, block) for study, block in SOURCES.computed}
RECHECKED, COMPUTED = list(BLOCKS_AGAIN), list(BLOCKS)
ARCHIVED = [study for study in SOURCES.shown if SOURCES.from_archive(study)]
DRAWN_HERE = [study for study in SOURCES.shown if study not in ARCHIVED]
ALL_WORLDS = worlds_of(STUDIES[study] for study in SOURCES.shown)
WORLDS = {name: ALL_WORLDS[name] for name, card in SOURCES.cards(ALL_WORLDS).items() if card.is_relative_to(RESULTS)}
PAPER = (".pdf", ".svg", "-means.tex", "-means.csv", "-verdict.tex", "-verdict.csv")


wildcard_constraints:
    bundle=r"[a-z0-9][a-z0-9_-]{0,79}",
    study=r"[a-z0-9][a-z0-9_-]{0,63}",
    world=r"[a-z0-9][a-z0-9_-]{0,79}",
    # Blocks that are there and fresh are made by no rule, so that nothing asks for the networks behind them.
    part="|".join(COMPUTED) or "none",
    again="|".join(RECHECKED) or "none",
    dataset="|".join(datasets.table().datasets),
