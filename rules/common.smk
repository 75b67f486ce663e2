"""Read and check everything before the first job, and the helpers that all rules share."""

import atexit
import json
import math
import os
import subprocess
import sys
from pathlib import Path

from assay.artifacts import archiving
from assay.artifacts.folders import pull
from assay.language.configuration import load_config
from assay.errors import AssayError
from assay.evidence.tables import code_digest
from assay.storage.files import write_atomic
from assay.provenance import proofs
from assay.provenance.fingerprints import data_behind, digest, fingerprint
from assay.pipeline.forecast import Forecast
from assay.networks.plan import Plan
from assay.language.scales import load_scale
from assay.cluster.slurm import end_earlier_jobs, job_prefix
from assay.language.studies import load_studies

try:
    CONFIG = load_config(config)
    os.environ.setdefault("ASSAY_DATASETS", CONFIG.datasets)
    STUDIES = load_studies(CONFIG.scale, only=None if CONFIG.studies == "all" else CONFIG.studies)
    if CONFIG.evidence == "archive":
        STUDIES = archiving.archived(STUDIES)
    SCALE = load_scale(CONFIG.scale)
    proofs.committed()  # a damaged file is said before the first job
    PLAN = Plan.at(SCALE, STUDIES.values())
    FORECAST = Forecast(PLAN, SCALE, Path(f"results/{CONFIG.scale}/networks"))
except AssayError as error:
    raise WorkflowError(str(error)) from None

RESULTS = CONFIG.results
TRAINED = PLAN.bundles
EVIDENCE = ("observations.csv", "arrays.npz", "provenance.json")


wildcard_constraints:
    bundle=r"[a-z0-9][a-z0-9_-]{0,79}",
    study=r"[a-z0-9][a-z0-9_-]{0,63}",
    world=r"[a-z0-9][a-z0-9_-]{0,79}",


def pull_inputs():
    """Bring data/ to what data.sha256 lists, if a study reads it, or archive/ where evidence comes from there. No rule does this:
    a job that waits for another is run again with it, while changed data is seen, file by file, in the fingerprints of what
    reads it."""
    try:
        if CONFIG.evidence == "archive":
            archiving.open_archive(CONFIG.scale)
        elif data_behind(set().union(*(study.plugs for study in STUDIES.values()))):
            pull("data")
    except AssayError as error:
        sys.exit(str(error))


def pull_what_to_compare_with():
    """Bring archive/, so that the report can say how well recomputed observations agree with it. Without it, it says why not."""
    try:
        if CONFIG.evidence == "recomputed" and archiving.exists():
            pull("archive")
    except AssayError as error:
        print(error, file=sys.stderr)


def manifests(recipes, seeds=None):
    """The manifests of the jobs that train these recipes, at these seeds or at all."""
    return expand(RESULTS + "/networks/{bundle}.json", bundle=PLAN.needs(recipes, seeds))


def code_behind(module, plugs=()):
    """One hash over all code of a module, these plugs, and everything they import: of what pages and judgements are made with."""
    return digest(fingerprint(module, plugs))


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
    subprocess.run([sys.executable, "workflow/scripts/partial_report.py", RESULTS, CONFIG.scale, *STUDIES], check=False)
