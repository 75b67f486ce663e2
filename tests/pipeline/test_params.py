"""What Snakemake compares of a job's params, for every rule."""

import json
import os
import subprocess
import sys

from pipeline_project import ROOT

# Reads the Snakefile as a dry run does, and says of each rule with params what Snakemake keeps of them: as they are, and with the
# values of two that changed places, for each two.
READ = """
import json
from itertools import combinations
from pathlib import Path
from snakemake.api import SnakemakeApi
from snakemake.settings.types import ConfigSettings, OutputSettings, Quietness, ResourceSettings

def kept(params):
    return sorted(repr(value("wildcards") if callable(value) else value) for value in params.values())

with SnakemakeApi(OutputSettings(dryrun=True, quiet={Quietness.ALL})) as api:
    workflow = api.workflow(
        resource_settings=ResourceSettings(cores=1),
        config_settings=ConfigSettings(config={"scale": "ci", "evidence": "recomputed"}),
        snakefile=Path("Snakefile").resolve(),
    )._workflow
    found = {}
    for rule in workflow.rules:
        names = [name for name, _ in rule.params.items() if name != "named"]
        if not list(rule.params.items()):
            continue
        again = {"unseen": [], "named": "named" in dict(rule.params.items())}
        for pair in combinations(names, 2):
            seen = set()
            for order in (pair, pair[::-1]):
                values = dict(zip(names, names)) | dict(zip(pair, order))
                named = workflow.globals["named_values"](values)
                seen.add(str(kept({**values, "named": named})))
            if len(seen) == 1:
                again["unseen"].append(pair)
        found[rule.name] = again
print(json.dumps(found))
"""


def test_params_that_change_places_are_seen_in_every_rule():
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    run = subprocess.run([sys.executable, "-c", READ], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600)
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout.splitlines()[-1])
    assert {"train", "measure", "recheck", "judge", "figure", "archived_figures", "figures", "report", "world"} <= set(found)
    assert [name for name, rule in found.items() if not rule["named"]] == []
    assert {name: rule["unseen"] for name, rule in found.items() if rule["unseen"]} == {}
