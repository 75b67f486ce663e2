#!/usr/bin/env bash
# Resolve pyproject.toml against envs/pins.txt and write envs/lock.txt.
# uv resolves in seconds what pip tries version by version; only its answer is kept, `make env` installs with pip.
# Packages that only CUDA builds of torch need are left out: torch brings the ones its build wants.
set -euo pipefail
cd "$(dirname "$0")/.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"${1:-python3}" -m venv "$scratch/env"
"$scratch/env/bin/pip" install --quiet --disable-pip-version-check uv
"$scratch/env/bin/uv" pip compile --quiet --no-header --no-annotate --extra cluster --extra remotes --extra test --constraints envs/pins.txt pyproject.toml > "$scratch/lock.txt"
{
    echo "# Made by \`make lock\` from envs/pins.txt and pyproject.toml; edit those."
    grep -viE '^(nvidia|triton|cuda)' "$scratch/lock.txt"
} > envs/lock.txt
bash envs/environment.sh
