#!/usr/bin/env bash
# Resolve pyproject.toml in a fresh environment and write envs/lock.txt.
# Packages that only CUDA builds of torch need are left out: torch brings the ones its build wants.
set -euo pipefail
cd "$(dirname "$0")/.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"${1:-python3}" -m venv "$scratch/env"
"$scratch/env/bin/pip" install --quiet -r envs/pins.txt ".[test]"
{
    echo "# Made by \`make lock\` from envs/pins.txt and pyproject.toml; edit those."
    "$scratch/env/bin/pip" freeze --exclude assay | grep -viE '^(nvidia|triton|cuda)' | sed 's/+cpu$//'
} > envs/lock.txt
