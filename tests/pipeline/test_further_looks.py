"""Further looks in a run: more seeds add blocks and open nothing that is there, wherever it is killed; a changed text starts on
fresh seeds."""

import json
import os
import re
import signal

import pytest
from pipeline_project import PLAIN, Project
from test_faults import inside, only, recorded, slow_project, start, wait_for


def files(project: Project, *patterns: str) -> dict:
    folder = project.root / "results/ci"
    paths = [path for pattern in patterns for path in folder.glob(pattern) if path.is_file()]
    return {str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes()) for path in paths}


def seeds(project: Project, text: str) -> None:
    project.write("config/seeds/ci.yaml", text)


def rests_on(project: Project, study: str) -> set[str]:
    verdicts = json.loads((project.root / "results/ci/verdicts.json").read_text())
    return set(verdicts["studies"][study]["rests_on"]["blocks"])


# As if the texts had been judged before there were records of trials.
FREEZE = """
import json, pathlib
from assay.language.studies import load_studies
digests = {name: study.judged_digest for name, study in load_studies("ci").items()}
pathlib.Path("config/frozen/before.json").write_text(json.dumps({"why": "judged before", "studies": digests}))
"""


def freeze(project: Project) -> None:
    done = project.python(FREEZE)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Project:
    """A project whose studies had all seeds from the start: 4 and 2."""
    project = Project(tmp_path_factory.mktemp("whole"))
    project.study("beside", (project.root / "config/studies/tests/plain.yaml").read_text().replace("0.1}}", "0.2}}"))
    seeds(project, "plain: 4\nbeside: 2\n")
    project.run("results/ci/verdicts.json")
    return project


def test_more_seeds_open_no_row_and_train_no_network_again(whole, tmp_path):
    project = Project(tmp_path)
    project.study("beside", (whole.root / "config/studies/tests/beside.yaml").read_text())
    project.run("results/ci/verdicts.json")
    before = files(project, "observations/**/*", "networks/**/seed-*")
    assert {path.split("/")[2] for path in before if path.startswith("observations")} == {"0-0"}

    seeds(project, "plain: 2\nbeside: 2\n")
    wanted = {"measure plain/1-1", "measure beside/1-1"}
    planned = project.computed("results/ci/verdicts.json")
    assert {job for job in planned if job.startswith("measure")} == wanted
    assert all(job.endswith("-1-1") for job in planned - wanted)
    project.run("results/ci/verdicts.json")
    assert files(project, *("observations/*/0-0/*", "networks/*/seed-0.*")) == before
    second = files(project, "observations/**/*", "networks/**/seed-*")

    seeds(project, "plain: 4\nbeside: 2\n")
    # The shared network is trained at the seeds that some study asks for, the one of `beside` alone at its own.
    project.run("results/ci/verdicts.json")
    third = files(project, "observations/**/*", "networks/**/seed-*")
    assert {path: third[path] for path in second} == second
    assert rests_on(project, "plain") == {"0-0", "1-1", "2-2", "3-3"}
    assert rests_on(project, "beside") == {"0-0", "1-1"}
    assert project.results() == whole.results()
    assert "to run" not in project.run("results/ci/verdicts.json")


def test_killed_while_seeds_are_added_the_next_run_goes_on_and_counts_nothing_twice(tmp_path):
    project = slow_project(Project(tmp_path))
    project.edit("src/assay/protocols/patient.py", 'hold("measure")', 'hold(f"measure-{arm.seed}")')
    project.run("results/ci/verdicts.json")
    seeds(project, "slow: 4\n")
    (tmp_path / "measure-2").touch()
    run = start(project)
    wait_for(lambda: inside(project, "measure-2") and recorded(project, "observations/slow/1-1/provenance.json"))
    os.killpg(run.pid, signal.SIGKILL)
    run.wait(600)
    (tmp_path / "measure-2").unlink()
    done = {name for name in ("0-0", "1-1", "2-2", "3-3") if recorded(project, f"observations/slow/{name}/provenance.json")}
    assert {"0-0", "1-1"} <= done
    assert "2-2" not in done
    before = files(project, *(f"observations/slow/{name}/*" for name in done), "networks/*/seed-[012].*")
    said = project.run("results/ci/verdicts.json")
    assert set(re.findall(r"measure slow/(\S+)", said)) == {"0-0", "1-1", "2-2", "3-3"} - done
    assert {path: each for path, each in files(project, "observations/**/*", "networks/**/*").items() if path in before} == before
    assert rests_on(project, "slow") == {"0-0", "1-1", "2-2", "3-3"}

    undisturbed = slow_project(Project(tmp_path / "undisturbed"))
    undisturbed.edit("src/assay/protocols/patient.py", 'hold("measure")', 'hold(f"measure-{arm.seed}")')
    seeds(undisturbed, "slow: 4\n")
    undisturbed.run("results/ci/verdicts.json")
    assert project.results() == undisturbed.results()


def test_a_number_that_is_no_look_stops_the_run_in_one_line(tmp_path):
    project = Project(tmp_path)
    seeds(project, "plain: 3\n")
    done = project.snakemake("-n")
    assert done.returncode != 0
    assert "config/seeds/ci.yaml: plain: 3 is no look (allowed: 1, 2, 4, ...); the next one is 4" in done.stderr
    assert not (tmp_path / "results").exists()


def test_a_changed_text_is_refused_then_measured_on_fresh_seeds_beside_the_earlier_ones(tmp_path):
    project = Project(tmp_path)
    only(project, "plain", PLAIN)
    project.edit("config/scales/ci.yaml", "conclusive: false", "conclusive: true")
    freeze(project)
    project.run("results/ci/verdicts.json")
    before = files(project, "observations/**/*", "networks/**/seed-*")
    project.edit(
        "config/studies/tests/plain.yaml", "expect: [smooth.accuracy > plain.accuracy]", "expect: [smooth.accuracy > 0.1]"
    )
    freeze(project)
    done = project.snakemake("-n")
    assert done.returncode != 0
    said = "plain.yaml: revised: 1 seed was measured at scale ci under another text than this; restore the text, or add"
    assert said in done.stderr
    text = (project.root / "config/studies/tests/plain.yaml").read_text()
    project.study("plain", text + "revised: [{seen: 1, why: it asked too much}]\n")
    project.run("results/ci/verdicts.json")
    after = files(project, "observations/**/*", "networks/**/seed-*")
    assert {path: after[path] for path in before} == before
    assert {path.split("/")[2] for path in after if path.startswith("observations")} == {"0-0", "1-1"}
    assert rests_on(project, "plain") == {"1-1"}
