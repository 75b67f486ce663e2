#!/usr/bin/env bash
# Snakemake 9.27.1 with snakemake-executor-plugin-slurm 2.8.0: every start of Snakemake imports pandas.
#
# Expected: an executor plugin that is installed, and not chosen, costs a start nothing to speak of.
# Seen: Snakemake imports every executor plugin that is there to know its settings, and this one imports pandas at the top of its
# report on efficiency, which only a run on Slurm writes: 0.35 core-seconds of 1.4, also for `snakemake --version`.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check snakemake==9.27.1

imports_pandas() { venv/bin/python -X importtime -m snakemake --version 2>&1 > /dev/null | grep -q '| *pandas$'; }

! imports_pandas || { echo "Snakemake itself imports pandas now"; exit 1; }
venv/bin/pip install --quiet --disable-pip-version-check snakemake-executor-plugin-slurm==2.8.0
if imports_pandas; then
    echo "as seen: with the plugin installed, snakemake --version imports pandas"
else
    echo "changed: the plugin imports pandas no more"
    exit 1
fi
