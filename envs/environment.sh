#!/usr/bin/env bash
# Write envs/environment.yaml, the environment of `snakemake --sdm conda`, from envs/lock.txt.
# Every package comes from the lock file through pip, so that conda gives Python alone and both ways install the same.
set -euo pipefail
cd "$(dirname "$0")/.."
{
    echo "# Made by \`make lock\` from envs/lock.txt; edit what that is made from."
    echo "channels:"
    echo "  - conda-forge"
    echo "  - nodefaults"
    echo "dependencies:"
    echo "  - python=3.11"
    echo "  - pip"
    echo "  - pip:"
    grep -v '^#' envs/lock.txt | sed 's/^/      - /'
} > envs/environment.yaml
