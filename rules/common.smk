"""Read and check everything before the first job, and the helpers that all rules share."""

import atexit
import json
import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from assay import datasets
from assay.artifacts import archiving
from assay.artifacts.entries import read_entries
from assay.artifacts.folders import pull
from assay.cluster.slurm import end_earlier_jobs, job_prefix
from assay.errors import AssayError
from assay.evidence.cards import worlds_of
from assay.evidence.tables import FILES, code_digest
from assay.language.configuration import load_config
from assay.language.draws import JUDGED, VARIABLE
from assay.language.frozen import refuse_unfrozen
from assay.language.inputs import shown
from assay.language.recipes import canonical
from assay.language.scales import load_scale
from assay.language.studies import load_studies
from assay.networks.plan import Plan
from assay.pipeline.deciding import decide
from assay.pipeline.forecast import Forecast
from assay.pipeline.rechecking import choose, keep_choice
from assay.pipeline.sources import Sources
from assay.provenance import proofs
from assay.provenance.commits import commit
from assay.provenance.fingerprints import data_behind, digest, fingerprint
from assay.provenance.platforms import device_here, platform_here
from assay.storage.places import PROJECT, require_checkout, warning_of_other_checkout

if workflow.is_main_process and (warning := warning_of_other_checkout(Path.cwd(), Path(workflow.basedir))):
    print(warning, file=sys.stderr)

try:
    CONFIG = load_config(config)
    os.environ[VARIABLE] = CONFIG.draws
    os.environ.setdefault("ASSAY_DATASETS", CONFIG.datasets)
    SCALE = load_scale(CONFIG.scale)
    STUDIES = load_studies(CONFIG.scale)
    CHOSEN = list(STUDIES) if CONFIG.studies == "all" else CONFIG.studies
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
    ASKED = [(STUDIES[name], blocks) for name, blocks in MEASURED.items()]
    PLAN = Plan(ASKED, SCALE.networks_per_job, beside=STUDIES.values())
    FORECAST = Forecast(PLAN, SCALE, Path(RESULTS, "networks"))
except AssayError as error:
    raise WorkflowError(str(error)) from None

LOCAL = [f"{study}/{block.name}" for study, block in SOURCES.local]
RECHECKED = [f"{study}/{block.name}" for study, block in SOURCES.rechecked]
COMPUTED = [f"{study}/{block.name}" for study, block in SOURCES.computed]
ARCHIVED = [study for study in SOURCES.shown if SOURCES.from_archive(study)]
DRAWN_HERE = [study for study in SOURCES.shown if study not in ARCHIVED]
WORLDS = {
    name: spec
    for name, spec in worlds_of(STUDIES[study] for study in SOURCES.shown).items()
    if SOURCES.card(name).is_relative_to(RESULTS)
}
PAPER = (".pdf", ".svg", "-means.tex", "-means.csv", "-verdict.tex", "-verdict.csv")


wildcard_constraints:
    bundle=r"[a-z0-9][a-z0-9_-]{0,79}",
    study=r"[a-z0-9][a-z0-9_-]{0,63}",
    world=r"[a-z0-9][a-z0-9_-]{0,79}",
    # Blocks that are there and fresh are made by no rule, so that nothing asks for the networks behind them.
    part="|".join(COMPUTED) or "none",
    again="|".join(RECHECKED) or "none",
    dataset="|".join(datasets.table().datasets),


def pull_inputs():
    """Bring what the run reads: the archived evidence that it shows or compares with, and data/ if something is computed that
    reads it. No rule does this: a job that waits for another is run again with it, while changed data is seen, file by file, in
    the fingerprints of what reads it."""
    try:
        archiving.pull(keys=[key for key, entry in ENTRIES.items() if entry.scale == CONFIG.scale])
    except AssayError as error:
        if CONFIG.evidence != "recomputed":
            sys.exit(str(error))
        print(error, file=sys.stderr)  # the report says that it compares with nothing
    readers = [name for name in [*DRAWN_HERE, *MEASURED] if data_behind(STUDIES[name].plugs)]
    try:
        if readers:
            require_checkout(f"data/ (read by {', '.join(readers[:3])}{', ...' if readers[3:] else ''})")
            pull("data")
    except AssayError as error:
        sys.exit(str(error))


def own(path):
    """One of the project's own files, wherever it lies; in a checkout by its path from there."""
    return shown(PROJECT / path)


def materials(*data):
    """The markers of the data sets that canonical data read."""
    return [shown(datasets.marker(name)) for name in datasets.needed(data)]


def check_data_sets():
    """Stop before the first job when this run needs a data set that only a person can get."""
    wanted = sorted(job.wildcards.dataset for job in workflow.dag.needrun_jobs() if job.rule.name == "retrieve")
    try:
        datasets.check_present(wanted)
    except AssayError as error:
        sys.exit(str(error))


def manifests(recipes, block):
    """The manifests of the jobs that train these recipes at a block."""
    return expand(f"{RESULTS}/networks/{{bundle}}.json", bundle=PLAN.needs(recipes, block))


def block_of(wildcards):
    """The study and the block that a job measures, or measures again."""
    if "again" in wildcards.keys():
        return dict(zip(RECHECKED, SOURCES.rechecked))[wildcards.again]
    return dict(zip(COMPUTED, SOURCES.computed))[wildcards.part]


def study_of(wildcards):
    """The study that a job measures a block of."""
    return STUDIES[block_of(wildcards)[0]]


def evidence_lines(studies):
    """What is made of these studies rests on beyond the files it reads: which archived blocks count, and how evidence stands."""
    return canonical(
        {
            study: [[p.block.name, p.where == "archive", p.word, p.reasons, p.key and p.sha256] for p in SOURCES.places[study]]
            for study in studies
        }
    )


def code_behind(module, plugs=()):
    """One hash over all code of a module, these plugs, and everything they import: of what pages and judgements are made with."""
    return digest(fingerprint(module, plugs))


def figure_code(module, studies):
    """One hash over the source of a module that draws these studies' figures."""
    return code_behind(module, {f"figures/{name}" for study in studies for name in STUDIES[study].figure})


def figure_texts(studies):
    """The figure plug and its parameters of each study, as canonical text."""
    return canonical({study: STUDIES[study].figure for study in studies})


def growing(amount, most=math.inf):
    """A resource that doubles with every try, up to the most; tries after the first happen where a profile sets `retries`.
    The amount of the first try is a number or a function of the wildcards."""

    def asked(wildcards, attempt):
        first = amount(wildcards) if callable(amount) else amount
        return min(most, round(first * 2 ** (attempt - 1)))

    return asked


def gpus(wanted):
    """GPUs a job asks for: those of the scale, or one where the configuration says cuda; none where it says cpu."""
    return 0 if CONFIG.device == "cpu" else max(CONFIG.gpus, wanted)


def labels_in_report(study, what):
    """What Snakemake's own report says of a file; it asks after the run, when the verdicts are there."""
    path = Path(RESULTS, "verdicts.json")
    judged = json.loads(path.read_text())["studies"] if path.exists() else {}
    verdict = judged[study]["verdict"] if study in judged else "not judged"
    return {"study": study, "family": STUDIES[study].family, "verdict": verdict, "shows": what}


def marked(path, study, what, caption):
    """A study's file, marked for Snakemake's own report. A rule whose wildcard is the study gives None for it."""

    def named(wildcards):
        return study or wildcards.study

    return report(
        path,
        caption=f"../report/captions/{caption}.rst",
        category=lambda wildcards: STUDIES[named(wildcards)].family,
        # A function, since verdicts are not known before the run.
        labels=lambda wildcards: labels_in_report(named(wildcards), what),
    )


def take_over_slurm_jobs():
    """End the Slurm jobs that an earlier run left behind when its main process was killed, and name those of this run so that
    the next one finds them."""
    on_slurm = workflow.executor_plugin.name == "slurm"
    used_slurm = Path(RESULTS, ".slurm")
    prefix = job_prefix(Path(RESULTS))
    if on_slurm or used_slurm.exists():
        try:
            end_earlier_jobs(prefix, say=lambda line: print(line, file=sys.stderr))
        except AssayError as error:
            sys.exit(f"{error}; look for the cause with: assay doctor")
    if on_slurm:
        used_slurm.touch()
        workflow.scheduler._executor.run_uuid = f"{prefix}-{workflow.scheduler._executor.run_uuid}"
    else:
        used_slurm.unlink(missing_ok=True)


def show_plan():
    """After a dry run on a cluster's scale, what the studies are made of and what they will cost."""
    if workflow.dryrun and SCALE.job.gpus:
        print("", *FORECAST.lines(CONFIG.scale), sep="\n", file=sys.stderr)


# Snakemake calls none of its hooks in a dry run.
atexit.register(show_plan)


def render_what_there_is():
    """After a failure, still show the studies that worked and say why the others did not."""
    subprocess.run([sys.executable, own("workflow/scripts/partial_report.py"), RESULTS, CONFIG.scale], check=False)
