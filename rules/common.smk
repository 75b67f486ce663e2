"""Read and check everything before the first job, and the helpers that all rules share."""

import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path

from assay.artifacts import pull
from assay.configuration import load_config
from assay.errors import AssayError
from assay.evidence import code_digest
from assay.files import write_atomic
from assay.fingerprints import data_behind, digest, fingerprint
from assay.plan import Plan
from assay.scales import load_scale
from assay.studies import load_studies

try:
    CONFIG = load_config(config)
    os.environ.setdefault("ASSAY_DATASETS", CONFIG.datasets)
    STUDIES = load_studies(CONFIG.scale, only=None if CONFIG.studies == "all" else CONFIG.studies)
    SEEDS = load_scale(CONFIG.scale).seeds
    PLAN = Plan(STUDIES.values())
except AssayError as error:
    raise WorkflowError(str(error)) from None

RESULTS = f"results/{CONFIG.scale}"
EVIDENCE = ("observations.csv", "arrays.npz", "provenance.json")


wildcard_constraints:
    bundle=r"[a-z0-9][a-z0-9_-]{0,79}",
    study=r"[a-z0-9][a-z0-9_-]{0,63}",
    world=r"[a-z0-9][a-z0-9_-]{0,79}",


def pull_inputs():
    """Bring data/ to what data.sha256 lists, if a study reads it. No rule does this: a job that waits for another is run again
    with it, while changed data is seen, file by file, in the fingerprints of what reads it."""
    try:
        if data_behind(set().union(*(study.plugs for study in STUDIES.values()))):
            pull("data")
    except AssayError as error:
        sys.exit(str(error))


def manifests(recipes):
    """The manifests of the jobs that train these recipes."""
    return expand(RESULTS + "/networks/{bundle}.json", bundle=PLAN.needs(recipes))


def code_behind(module, plugs=()):
    """One hash over the source of a module, these plugs, and everything they import."""
    return digest(fingerprint(module, plugs))


def hold_results_folder():
    """Refuse to run twice in one results folder. The kernel drops the lock with this process, however it ends."""
    global LOCK
    Path(RESULTS).mkdir(parents=True, exist_ok=True)
    LOCK = open(f"{RESULTS}/.lock", "w")
    try:
        fcntl.flock(LOCK, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(f"{RESULTS}: another snakemake is at work in this folder; wait for it or stop it first")
    needs = {name: PLAN.needs(study.recipes) for name, study in STUDIES.items()}
    write_atomic(Path(RESULTS, "plan.json"), json.dumps(needs, indent=1))


def render_what_there_is():
    """After a failure, still show the studies that worked and say why the others did not."""
    subprocess.run([sys.executable, "workflow/scripts/partial_report.py", RESULTS, CONFIG.scale, *STUDIES], check=False)
