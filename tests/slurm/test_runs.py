"""Runs on a real cluster: the same bytes as a local run, and after every fault the next step happens by itself."""

import ast
import os
import re
import signal
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
from cluster import Cluster
from cluster_fixtures import SITE
from daemons import wait_for
from pipeline_project import Project

STUDY = """
paper: P166
question: Do trainings survive what happens on a cluster?
base: {{world: shapes, model: linear, budget: {{epochs: 2}}}}
arms:
{arms}
protocol: probe
controls: [{first}.accuracy > -1]
expect: [{first}.accuracy > 0.5]
"""
ARM = "  {fate}: {{augment: {{meeting: {{fate: {fate}}}}}}}"

MEETING = '''"""Wait, or eat memory, as long as a file asks for it."""

import os
import time
from pathlib import Path


def meeting(batch, generator, *, fate: str = "none"):
    """Returns the batch as it is."""
    Path(f"inside-{fate}").write_text(os.environ.get("CUDA_VISIBLE_DEVICES", ""))
    eaten = []
    while Path(f"hold-{fate}").exists():
        eaten.append(bytearray(50_000_000) if fate == "hungry" else None)
        time.sleep(0.1)
    return batch
'''
FATES = ("cancelled", "hungry", "late", "requeued")


class ClusterProject(Project):
    """A project that is run through the profile."""

    def __init__(self, root: Path):
        super().__init__(root)
        self.write("slurm/site.yaml", SITE)
        self.write("src/assay/augment/meeting.py", MEETING)

    def submit(self, *arguments: str) -> list[str]:
        """The command line of a run through the profile; only the pause between questions to Slurm is shorter."""
        return [
            *self.command(*arguments)[:1],
            *("--profile", "slurm", "--slurm-init-seconds-before-status-checks", "1"),
            *self.command(*arguments)[3:],
        ]

    def start(self, *arguments: str) -> subprocess.Popen:
        """Start a run through the profile, its output in a file."""
        with open(self.root / "output", "w") as output:
            return subprocess.Popen(
                self.submit(*arguments), cwd=self.root, env=self.environment, stdout=output, stderr=output, start_new_session=True
            )

    def finish(self, run: subprocess.Popen) -> str:
        """Wait for a started run and expect success; its output."""
        code = run.wait(timeout=900)
        said = (self.root / "output").read_text()
        assert code == 0, said
        return said

    def hold(self, *fates: str) -> None:
        for fate in fates:
            (self.root / f"hold-{fate}").touch()

    def release(self, fate: str) -> None:
        (self.root / f"hold-{fate}").unlink()

    def inside(self, *fates: str) -> None:
        """Wait until a training of each fate is in its first batches."""
        for fate in fates:
            wait_for((self.root / f"inside-{fate}").exists, f"{fate} begins", 300)

    def bundles(self) -> dict[str, str]:
        """The names of the jobs that train the arms, by fate."""
        code = "from assay.language.scales import load_scale; from assay.language.studies import load_studies;"
        code += "from assay.networks.plan import Plan; study = load_studies('ci')['faults'];"
        code += "plan = Plan.at(load_scale('ci'), [study]);"
        code += "print({cell.arm: plan.needs([cell.recipe], study.blocks[0])[0] for cell in study.cells})"
        return ast.literal_eval(self.python(code).stdout)

    def networks(self) -> list[str]:
        """The files that ask for all networks and nothing after them."""
        return [f"results/ci/networks/{bundle}.json" for bundle in self.bundles().values()]


def history(cluster: Cluster, bundle: str) -> list[dict[str, str]]:
    """What Slurm's accounting says of every time a training was started, in order. The last time must be over."""
    rows = accounted(cluster)
    ids = {row["JobID"] for row in rows if row["Comment"].endswith(f"_{bundle}")}
    return [row for row in rows if row["JobID"] in ids]


def accounted(cluster: Cluster) -> list[dict[str, str]]:
    """Every start of every job. Slurm notes comments when a job ends."""
    fields = ("JobID", "State", "Start", "End", "ReqMem", "Timelimit", "Comment", "AllocTRES")
    rows = cluster.run("sacct", "-a", "-D", "-X", "-n", "-P", "--format", ",".join(fields)).splitlines()
    return [dict(zip(fields, row.split("|"), strict=True)) for row in rows]


def ended(cluster: Cluster, job: str) -> bool:
    """Whether a Slurm job's first run is over."""
    states = [row["State"].split()[0] for row in accounted(cluster) if row["JobID"] == job]
    return bool(states) and states[0] not in ("RUNNING", "PENDING")


def slurm_id(cluster: Cluster, bundle: str) -> str:
    """The Slurm job that trains a bundle now."""
    running = cluster.run("squeue", "-h", "-t", "RUNNING", "-o", "%i %k").splitlines()
    return next(row.split()[0] for row in running if row.endswith(f"_{bundle}"))


def hurry(cluster: Cluster, job: str) -> None:
    """Slurm keeps a job that it sent back into the queue waiting for two minutes; not here."""
    wait_for(lambda: job in cluster.jobs("PENDING"), f"job {job} is back in the queue", 300)
    cluster.run("scontrol", "update", f"JobId={job}", "StartTime=now")


def trained(project: Project) -> dict[str, bytes]:
    """The weights by path."""
    folder = project.root / "results/ci/networks"
    found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.safetensors")}
    assert found
    return found


def one_at_a_time(rows: list[dict[str, str]]) -> bool:
    """Whether no two of these jobs ran at once."""
    spans = sorted((row["Start"], row["End"]) for row in rows if row["Start"] not in ("Unknown", "None"))
    return all(end <= start for (_, end), (start, _) in pairwise(spans))


def faults(root: Path, *fates: str) -> ClusterProject:
    """A project with one study, whose networks meet these fates."""
    project = ClusterProject(root)
    for path in (project.root / "config/studies/tests").iterdir():
        path.unlink()
    project.study("faults", STUDY.format(arms="\n".join(ARM.format(fate=fate) for fate in fates), first=fates[0]))
    return project


@pytest.fixture(scope="module")
def everyday(on_cluster, finished_once, tmp_path_factory):
    """A local run, and the same project's run through the profile, still going on while other jobs meet their fates."""
    submitted = ClusterProject(tmp_path_factory.mktemp("submitted"))
    return finished_once, submitted, submitted.start()


@pytest.fixture(scope="module")
def bad_day(everyday, on_cluster, tmp_path_factory):
    """One run in which one job is cancelled, one eats more memory than it asked for, one takes more time, one is sent back
    into the queue, and the controller is restarted while they run."""
    undisturbed = faults(tmp_path_factory.mktemp("undisturbed"), *FATES)
    undisturbed.run(*undisturbed.networks())
    project = faults(tmp_path_factory.mktemp("bad-day"), *FATES)
    bundles = project.bundles()
    project.hold(*FATES)
    run = project.start(*project.networks())
    project.inside(*FATES)
    jobs = {fate: slurm_id(on_cluster, bundle) for fate, bundle in bundles.items()}
    on_cluster.run("scontrol", "update", f"JobId={jobs['late']}", "TimeLimit=1")
    on_cluster.stop("slurmctld")
    on_cluster.start_controller()
    on_cluster.run("scancel", jobs["cancelled"])
    on_cluster.run("scontrol", "requeue", jobs["requeued"])
    hurry(on_cluster, jobs["requeued"])
    for fate in FATES:
        wait_for(lambda fate=fate: ended(on_cluster, jobs[fate]), f"the first job of {fate} ends", 300)
        project.release(fate)
    project.finish(run)
    return project, undisturbed, {fate: history(on_cluster, bundle) for fate, bundle in bundles.items()}


def test_a_run_through_the_profile_gives_the_bytes_of_a_local_run(everyday, bad_day, on_cluster):
    local, submitted, run = everyday
    said = submitted.finish(run)
    assert submitted.results() == local.results()
    assert re.search(r"^\[11/11\] .* write the report", said, re.M), said
    # Trainings and measurements were jobs; what takes less than a submission was not.
    names = [row["Comment"] for row in accounted(on_cluster) if "meeting" not in row["Comment"]]
    assert sorted(name.split("_")[1] for name in names) == ["measure"] * 2 + ["train"] * 4
    assert list((submitted.root / "results/slurm").glob("efficiency_report_*.csv"))
    assert "Nothing to be done" in submitted.run("--profile", "slurm", "-n")


def test_all_recover_by_themselves_with_the_bytes_of_an_undisturbed_run(bad_day):
    project, undisturbed, _ = bad_day
    assert trained(project) == trained(undisturbed)


def test_a_cancelled_job_is_submitted_again(bad_day):
    states = [row["State"] for row in bad_day[2]["cancelled"]]
    assert states[0].startswith("CANCELLED")
    assert states[1:] == ["COMPLETED"]


def test_a_job_above_its_memory_gets_twice_as_much(bad_day):
    first, second = bad_day[2]["hungry"]
    assert first["State"] in ("FAILED", "OUT_OF_MEMORY")
    assert second["State"] == "COMPLETED"
    assert int(second["ReqMem"].rstrip("M")) == 2 * int(first["ReqMem"].rstrip("M"))


def test_a_job_over_its_time_gets_more(bad_day):
    first, second = bad_day[2]["late"]
    assert first["State"] == "TIMEOUT"
    assert second["State"] == "COMPLETED"
    assert second["Timelimit"] > first["Timelimit"]


def test_a_job_sent_back_into_the_queue_runs_again_under_its_number(bad_day):
    first, second = bad_day[2]["requeued"]
    assert first["State"] == "REQUEUED"
    assert second["State"] == "COMPLETED"
    assert first["JobID"] == second["JobID"]


def test_no_two_jobs_wrote_one_output(bad_day):
    assert all(one_at_a_time(rows) for rows in bad_day[2].values())


def test_after_a_killed_main_process_its_jobs_are_ended_before_new_ones_start(on_cluster, tmp_path):
    undisturbed = faults(tmp_path / "undisturbed", "killed")
    undisturbed.run(*undisturbed.networks())
    project = faults(tmp_path / "killed", "killed")
    bundle = project.bundles()["killed"]
    project.hold("killed")
    first = project.start(*project.networks())
    project.inside("killed")
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    left = slurm_id(on_cluster, bundle)
    second = project.start(*project.networks())
    wait_for(lambda: ended(on_cluster, left) and on_cluster.jobs("RUNNING"), "the next run's job starts", 300)
    project.release("killed")
    said = project.finish(second)
    rows = history(on_cluster, bundle)
    assert f"ending 1 Slurm job of an earlier run: {left}" in said
    assert [row["State"].split()[0] for row in rows] == ["CANCELLED", "COMPLETED"]
    assert one_at_a_time(rows)
    assert trained(project) == trained(undisturbed)


def test_a_preempted_training_on_two_gpus_goes_on_from_its_checkpoint(on_cluster, tmp_path):
    two = ("--set-resources", "train:gpu=2")
    undisturbed = faults(tmp_path / "undisturbed", "preempted")
    undisturbed.run(*undisturbed.networks(), *two)
    project = faults(tmp_path / "preempted", "preempted")
    bundle = project.bundles()["preempted"]
    project.hold("preempted")
    run = project.start(*project.networks(), *two)
    project.inside("preempted")
    assert sorted((project.root / "inside-preempted").read_text().split(",")) == ["0", "1"]
    preempted = slurm_id(on_cluster, bundle)
    urgent = on_cluster.run(
        "sbatch", "--parsable", "-A", "lab", "-p", "urgent", "--gpus=1", "--mem=10", "--output=/dev/null", "--wrap", "true"
    )
    # Asked to stop, the training writes a checkpoint and ends before it is killed.
    wait_for(lambda: "PreemptTime=2" in on_cluster.run("scontrol", "show", "job", preempted), "preemption", 300)
    project.release("preempted")
    wait_for(lambda: urgent in on_cluster.jobs("COMPLETED"), "the urgent job runs", 300)
    assert list((project.root / "results/ci/networks").rglob("*.checkpoint"))
    hurry(on_cluster, preempted)
    project.finish(run)
    rows = history(on_cluster, bundle)
    assert "gres/gpu=2" in rows[0]["AllocTRES"]
    assert rows[0]["State"] in ("REQUEUED", "PREEMPTED")
    assert rows[-1]["State"] == "COMPLETED"
    assert "from its checkpoint" in (project.root / f"results/ci/logs/train/{bundle}.log").read_text()
    assert one_at_a_time(rows)
    assert trained(project) == trained(undisturbed)
