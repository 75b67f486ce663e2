"""Jobs of a run that are forked: the same bytes as processes of their own, and benchmark files that count what they used."""

import csv
import json
import os
import subprocess
import sys

import pytest
from conftest import SOURCE
from pipeline_project import PROTOCOL, SNAKEMAKE, Project

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="only Linux tells a client how a child ends")

NUMBERS = """
import hashlib, json, os, sys
import numpy as np, torch
from torch import nn
def state():
    "Where this process was forked from, with its threads and the project's modules there."
    parent = os.getppid()
    words = open(f"/proc/{parent}/cmdline").read()
    return {"forked": "forks/parent.py" in words, "threads": len(os.listdir(f"/proc/{parent}/task")),
            "project": [name for name in sys.modules if name.split(".")[0] in ("assay", "snakemake_logger_plugin_assay")]}
before = state()
torch.set_num_threads(1)
torch.manual_seed(0)
network = nn.Sequential(nn.Conv2d(3, 16, 3), nn.BatchNorm2d(16), nn.ReLU(), nn.Flatten(), nn.Linear(16 * 196, 10))
optimiser = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
for _ in range(3):
    loss = nn.functional.cross_entropy(network(torch.randn(32, 3, 16, 16)), torch.arange(32) % 10)
    optimiser.zero_grad(); loss.backward(); optimiser.step()
draw = np.random.default_rng(0).normal(size=(300, 300))
numbers = [*(p.detach().numpy() for p in network.parameters()), draw @ draw.T, *np.linalg.svd(draw), np.float32(1e-42) * draw]
digest = hashlib.sha256(b"".join(np.ascontiguousarray(each).tobytes() for each in numbers)).hexdigest()
print(json.dumps([before, digest, torch.get_num_threads(), float(np.random.rand()), len(os.listdir("/proc/self/task"))]))
"""


def told(*command):
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), **dict.fromkeys(("OMP_NUM_THREADS",), "1")}
    done = subprocess.run([sys.executable, *command], env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_a_forked_child_computes_what_a_process_of_its_own_does():
    forked, again = (told("-m", "assay.forks", "-c", NUMBERS) for _ in range(2))
    alone = told("-c", NUMBERS)
    # One thread, or a lock that another holds would stay locked in children; no module of the project, or it could be old.
    assert forked[0] == again[0] == {"forked": True, "threads": 1, "project": []}
    assert not alone[0]["forked"]
    assert forked[1:3] == again[1:3] == alone[1:3]
    assert forked[4] == alone[4] == 1
    assert len({forked[3], again[3], alone[3]}) == 3  # what nobody seeds differs


WITNESS = PROTOCOL.replace(
    "    test = arm.world.test\n",
    "    import os, pathlib\n"
    '    pathlib.Path("parent").write_text(pathlib.Path(f"/proc/{os.getppid()}/cmdline").read_text())\n'
    "    test = arm.world.test\n",
)


@pytest.fixture(scope="module")
def both_ways(tmp_path_factory):
    """A study run in forked children, and in processes of their own: a file for matplotlib makes jobs step aside."""
    projects = []
    for way in ("forked", "alone"):
        project = Project(tmp_path_factory.mktemp(way))
        project.write("src/assay/protocols/probe.py", WITNESS)
        if way == "alone":
            project.write("matplotlibrc", "")
        project.run("results/ci/verdicts.json", "results/ci/figures/plain.svg")
        projects.append(project)
    return projects


def test_a_study_has_the_same_bytes_both_ways(both_ways):
    forked, alone = both_ways
    assert "forks/parent.py" in (forked.root / "parent").read_text()
    assert "forks/parent.py" not in (alone.root / "parent").read_text()
    assert forked.results() == alone.results()
    assert len(forked.results()) > 6
    figure = "results/ci/figures/plain.svg"
    assert (forked.root / figure).read_bytes() == (alone.root / figure).read_bytes()


def test_logs_receipts_and_records_are_the_same_both_ways(both_ways):
    def left(project):
        logs = {path.name: [line[9:] for line in path.read_text().splitlines()] for path in sorted(project.root.rglob("*.log"))}
        files = {str(path.relative_to(project.root)) for path in (project.root / "results").rglob("*") if path.is_file()}
        return logs, files

    forked, alone = map(left, both_ways)
    assert {name: [line.split(" core")[0] for line in lines] for name, lines in forked[0].items() if "snakemake" not in name}
    assert forked[1] == alone[1]
    assert forked[0].keys() - alone[0].keys() == {name for name in forked[0] if name.endswith(".snakemake.log")}


BURN = """
from assay.pipeline.forwarding import forward
if snakemake.params.forked:
    forward(snakemake)
from assay.pipeline.running import job
import subprocess, sys, time
import numpy as np
code = "import time\\nwhile time.process_time() < 0.7: pass"
with job(snakemake):
    block = np.ones(2**25)
    del block
    subprocess.run([sys.executable, "-c", code])
    end = time.process_time() + 0.7
    while time.process_time() < end: pass
    open(snakemake.output[0], "w").close()
"""

RULES = """
from snakemake import benchmark
from assay.pipeline import usage
usage.watch(benchmark)
rule burn:
    output: "results/ci/{way}.txt"
    log: "results/ci/logs/burn/{way}.log"
    benchmark: "results/ci/benchmarks/burn/{way}.tsv"
    params: forked=lambda wildcards: wildcards.way == "forked"
    script: "burn.py"
"""


def test_benchmark_files_count_what_jobs_and_their_children_used(tmp_path):
    (tmp_path / "Snakefile").write_text(RULES)
    (tmp_path / "burn.py").write_text(BURN)
    targets = [f"results/ci/{way}.txt" for way in ("forked", "alone")]
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    command = [str(SNAKEMAKE), "--cores", "1", *targets]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = {}
    for path in (tmp_path / "results/ci/benchmarks/burn").iterdir():
        (rows[path.stem],) = csv.DictReader(path.read_text().splitlines(), delimiter="\t")
    assert rows.keys() == {"forked", "alone"}
    for way, row in rows.items():
        assert 1.4 <= float(row["cpu_time"]) < 3, way
        assert float(row["max_uss"]) > 256, way
        assert float(row["max_uss"]) <= float(row["max_pss"]) <= float(row["max_rss"]) <= float(row["max_vms"]), way
        assert float(row["mean_load"]) == pytest.approx(100 * float(row["cpu_time"]) / float(row["s"]), rel=0.05), way
    # What is shared with the parent is counted in proportion, so the job looks no larger than alone by what all children hold.
    assert float(rows["forked"]["max_pss"]) < float(rows["forked"]["max_rss"]) - 50
    assert not list((tmp_path / "results/ci").rglob("*.usage.json"))
