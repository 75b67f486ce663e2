"""Before the graph is built: take the results folder, and set aside what is not as its job left it (see assay.pipeline.preflight).

Included after all rules, since what jobs leave is read from them.
"""

import fcntl
import os
import sys
from dataclasses import replace
from itertools import product
from pathlib import Path

from snakemake.io import apply_wildcards
from snakemake.logging import logger

from assay.pipeline.partial import forget_failed_trainings
from assay.pipeline.preflight import JobFiles, Preflight
from assay.pipeline.rechecking import keep_choice
from assay.storage import earlier


def prepare_results():
    """The open file that holds the folder's lock; None in a dry run, in a job, and where another run has it.

    The kernel drops the lock with this process, however it ends. While another run has files in motion nothing is checked; a dry
    run says what it finds and changes nothing.
    """
    if not workflow.is_main_process:
        return None
    dry = workflow.output_settings.dryrun
    preflight = Preflight(Path(RESULTS), Path(".snakemake"), act=not dry)
    try:
        lock = None if dry else take_lock()
        if lock:
            forget_failed_trainings(Path(RESULTS))  # of a run that was killed
            earlier.bound(Path(RESULTS))
        if lock or dry:
            preflight.check(jobs_of_rules(), sources_of_rules())
        if lock:
            write_plan()
    except OSError as error:
        raise WorkflowError(f"{error.filename or RESULTS}: {error.strerror}; results are written below {RESULTS}/") from None
    for line in preflight.lines:
        logger.warning(line)
    return lock


def take_lock():
    """The open file that holds the lock, None if another process has it."""
    Path(RESULTS).mkdir(parents=True, exist_ok=True)
    lock = open(f"{RESULTS}/.lock", "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return None
    return lock


def write_plan():
    """Leave what was decided to the jobs of this run, after what was in its way is set aside."""
    needs = {
        name: tuple(job for block in blocks for job in PLAN.needs(STUDIES[name].recipes, block))
        for name, blocks in MEASURED.items()
    }
    replace(SOURCES, needs=needs).write()
    if SOURCES.rechecked and isinstance(CONFIG.recheck, float):
        keep_choice(CONFIG.recheck, SOURCES, STUDIES, PLATFORM)


def hold_results_folder():
    """Refuse to run twice in one results folder."""
    if LOCK is None:
        sys.exit(f"{RESULTS}: another snakemake is at work in this folder; wait for it or stop it first")


def jobs_of_rules():
    """The files of every job below the results folder that the rules can make."""
    names = {"bundle": PLAN.bundles, "part": COMPUTED, "again": RECHECKED, "study": DRAWN_HERE, "world": WORLDS}
    return [
        job_files(rule, dict(zip(rule.wildcard_names, values)))
        for rule in workflow.rules
        if rule.log and rule.output and rule.output[0].startswith(f"{RESULTS}/")
        for values in product(*(names[name] for name in rule.wildcard_names))
    ]


def job_files(rule, wildcards):
    """The files of one job; one that trains has networks beside its output."""
    log, benchmark, *outputs = (
        Path(apply_wildcards(pattern, wildcards)) for pattern in (*rule.log, rule.benchmark, *rule.output)
    )
    weights = []
    if "bundle" in wildcards:
        bundle = PLAN.bundle(wildcards["bundle"])
        weights = [recipe.weights(Path(RESULTS, "networks"), seed) for recipe in bundle.recipes for seed in bundle.seeds]
    networks = (*weights, *(path.with_suffix(".json") for path in weights))
    return JobFiles(tuple(outputs), networks, log, benchmark)


def sources_of_rules():
    """The scripts of all rules, and the inputs that no rule makes, blocks that were measured before among them."""
    blocks = (f"{RESULTS}/observations/{part}/{name}" for part in LOCAL for name in FILES)
    scripts = (own(os.path.normpath(f"rules/{rule.script}")) for rule in workflow.rules if rule.script)
    inputs = (item for rule in workflow.rules for item in rule.input if not callable(item))
    others = (path for path in (*scripts, *inputs) if not path.startswith(f"{RESULTS}/"))
    return [Path(path) for path in (*blocks, *others)]


def leave_alone_what_is_there():
    """Have Snakemake pass over files of blocks that no rule makes, since they are there and fresh, where they are asked for by
    name. What is asked for it knows when it builds the graph."""
    prepare = workflow._prepare_dag

    def prepare_rest(*arguments, **options):
        asked = {os.path.relpath(target): target for target in workflow.dag_settings.targets}
        workflow.dag_settings.targets = {asked[path] for path in asked if not is_there(path)}
        if asked and not workflow.dag_settings.targets:
            sys.exit(0)
        prepare(*arguments, **options)

    workflow._prepare_dag = prepare_rest


def is_there(path):
    """Whether this is a file of a block that counts as it is, which is said. WorkflowError for a block of the archive."""
    parts = Path(path).parts
    if not path.startswith(f"{RESULTS}/observations/") or parts[-1] not in FILES or "/".join(parts[-3:-1]) in BLOCKS:
        return False
    for place in SOURCES.places.get(parts[-3], ()):
        if place.block.name == parts[-2] and place.where == "archive":
            raise WorkflowError(
                f"{path}: this block counts as it is archived, in archive/{place.key}; to measure it here:"
                f" --config evidence=recomputed 'studies=[{parts[-3]}]'"
            )
        if place.block.name == parts[-2]:
            print(f"{path}: is there and fresh; nothing to be done", file=sys.stderr)
            return True
    return False


name_params(workflow.rules)
if workflow.is_main_process:
    leave_alone_what_is_there()
LOCK = prepare_results()
