"""Before the first job and after the last: what the Snakefile's onstart and onerror call, and what follows a dry run."""

import atexit
import json
import os
import subprocess
import sys
from pathlib import Path

from snakemake import benchmark
from snakemake.logging import logger

from assay import datasets
from assay.artifacts import archiving
from assay.artifacts.folders import pull
from assay.cluster.slurm import end_earlier_jobs, job_prefix
from assay.errors import AssayError
from assay.pipeline import usage
from assay.pipeline.partial import forget_failed_trainings
from assay.pipeline.prediction import PLAN_FILE, Predictor, RunForecast
from assay.pipeline.progress import Job
from assay.pipeline.stopping import Stop
from assay.provenance.fingerprints import data_behind, keep_notes
from assay.storage.places import require_checkout


def pull_inputs():
    """Bring what the run reads: the archived evidence that it shows or compares with, and those files of data/ that are read by
    what is computed. No job does this: one that waits for another is run again with it, while changed data is seen, file by file, in
    the fingerprints of what reads it."""
    try:
        archiving.pull(keys=[key for key, entry in ENTRIES.items() if entry.scale == CONFIG.scale])
    except AssayError as error:
        if CONFIG.evidence != "recomputed":
            sys.exit(str(error))
        print(error, file=sys.stderr)  # the report says that it compares with nothing
    files = {name: data_behind(STUDIES[name].plugs) for name in dict.fromkeys([*DRAWN_HERE, *MEASURED])}
    readers = [name for name, read in files.items() if read]
    try:
        if readers:
            require_checkout(f"data/ (read by {', '.join(readers[:3])}{', ...' if readers[3:] else ''})")
            pull("data", only=set().union(*files.values()))
    except AssayError as error:
        sys.exit(str(error))


def check_data_sets():
    """Stop before the first job when this run needs a data set that only a person can get."""
    wanted = sorted(job.wildcards.dataset for job in workflow.dag.needrun_jobs() if job.rule.name == "retrieve")
    try:
        datasets.check_present(wanted)
    except AssayError as error:
        sys.exit(str(error))


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


def render_what_there_is():
    """After a failure, still show the studies that worked and say why the others did not. A run that was stopped did not fail."""
    if STOP.asked:
        logger.info("", extra={"over": True})
        print(STOP.line, file=sys.stderr)
    else:
        subprocess.run([sys.executable, own("workflow/scripts/partial_report.py"), RESULTS, CONFIG.scale], check=False)
    forget_failed_trainings(Path(RESULTS))


def forecast_run():
    """The jobs that this run has to do, as Snakemake found, and the seconds that each is predicted to take."""
    predictor = Predictor(CONFIG.scale, STUDIES, PLATFORM["cpu"])
    numbers = {job: workflow.dag.jobid(job) for job in workflow.dag.needrun_jobs(exclude_finished=False)}
    jobs, names, networks = {}, {}, 0
    for job, number in numbers.items():
        before = frozenset(numbers[other] for other in workflow.dag.dependencies[job] if other in numbers)
        trained = to_train(job, predictor)
        epochs = sum(recipe.data["budget"]["epochs"] for recipe in trained)
        jobs[number] = Job(job.rule.name, predicted_seconds(job, predictor), job.threads, before, epochs)
        networks += len(trained)
        names[number] = " ".join(job.wildcards_dict.values()) or job.rule.name
    cores = workflow.resource_settings.cores or workflow.resource_settings.nodes or 1
    return RunForecast(jobs, names, cores, predictor.basis, networks)


def to_train(job, predictor):
    """The networks that a job has to train, each seed's by itself."""
    if job.rule.name != "train":
        return []
    return predictor.missing(PLAN.bundle(job.wildcards.bundle), Path(RESULTS, "networks"))


def predicted_seconds(job, predictor):
    """Seconds of one job; on GPUs, of which nothing is recorded job by job, those it asks a scheduler for."""
    trains, measures = job.rule.name == "train", job.rule.name in ("measure", "recheck")
    if SCALE.job.gpus and (trains or measures):
        return 60 * (FORECAST.minutes(PLAN.bundle(job.wildcards.bundle)) if trains else SCALE.job.minutes)
    if trains:
        return predictor.training(PLAN.bundle(job.wildcards.bundle), Path(RESULTS, "networks"))
    if measures:
        return predictor.measuring(job.rule.name, study_of(job.wildcards), block_of(job.wildcards)[1])
    return predictor.other(job.rule.name, len(job.output), len(SOURCES.shown))


def say_plan():
    """Before the first job, what is to come; the line carries the forecast to whatever shows how the run goes on."""
    forecast = forecast_run()
    lines = ["" if SCALE.job.gpus else forecast.line, forecast.trains, f"logs of jobs: {RESULTS}/logs"]
    logger.info("\n".join(filter(None, lines)), extra={"forecast": forecast})


def show_plan():
    """After a dry run, what the run would take; on a cluster's scale, what the studies are made of and what they will cost."""
    if not workflow.dryrun or workflow.dag is None:
        return
    if SCALE.job.gpus:
        print("", *FORECAST.lines(CONFIG.scale), sep="\n", file=sys.stderr)
        return
    forecast = forecast_run()
    if path := os.environ.get(PLAN_FILE):
        Path(path).write_text(json.dumps(forecast.as_json()))
    elif forecast.jobs:
        print(forecast.line, file=sys.stderr)


STOP = Stop()
usage.watch(benchmark)
# Snakemake calls none of its hooks in a dry run.
atexit.register(show_plan)
