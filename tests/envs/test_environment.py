"""The environment of `snakemake --sdm conda` is the locked one, every job has it, and scripts find the project's package."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]


def test_the_conda_environment_is_made_from_the_lock_file(tmp_path):
    shutil.copytree(ROOT / "envs", tmp_path / "envs")
    (tmp_path / "envs/environment.yaml").unlink()
    subprocess.run(["bash", str(tmp_path / "envs/environment.sh")], check=True)
    assert (tmp_path / "envs/environment.yaml").read_text() == (ROOT / "envs/environment.yaml").read_text()


def test_it_holds_what_is_locked_and_nothing_else():
    locked = [line for line in (ROOT / "envs/lock.txt").read_text().splitlines() if not line.startswith("#")]
    python, pip, packages = yaml.safe_load((ROOT / "envs/environment.yaml").read_text())["dependencies"]
    assert packages["pip"] == locked
    assert (python, pip) == ("python=3.11", "pip")


def test_the_command_that_locks_writes_both_files():
    assert (ROOT / "envs/lock.sh").read_text().rstrip().endswith("bash envs/environment.sh")


@pytest.mark.parametrize("path", sorted((ROOT / "rules").glob("*.smk")), ids=lambda path: path.stem)
def test_every_rule_with_a_script_names_the_environment(path):
    rules = re.split(r"^rule ", path.read_text(), flags=re.M)[1:]
    for rule in rules:
        assert ("script:" in rule) == ('conda:\n        "../envs/environment.yaml"' in rule), rule.partition(":")[0]


def test_scripts_find_the_package_where_the_main_process_has_it():
    """Snakemake hands its search path to scripts in other environments, where PYTHONPATH is removed."""
    code = "import assay, snakemake.common as s; print(*s.get_snakemake_searchpaths(), assay.__file__, sep='\\n')"
    lines = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.splitlines()
    assert str(Path(lines[-1]).parents[1]) in lines[:-1]
