#!/usr/bin/env bash
# Snakemake 9.27.1: two named params of a rule that exchange their values are no change.
#
# Expected: `low=1, high=2` edited to `low=2, high=1` runs the job again (reason: params have changed), as `low=1, high=3` does.
# Seen: "Nothing to be done". The values are compared sorted and without their names, so the output stays that of the old params.
# A workflow that passes, say, a mean and a spread, or two thresholds, keeps stale results after they are exchanged.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check snakemake==9.27.1

workflow() {
    cat > Snakefile << END
rule all:
    output: "out.txt"
    params: low=$1, high=$2
    shell: "echo {params.low} {params.high} > {output}"
END
}

run() { venv/bin/snakemake --cores 1 "$@" 2>&1; }

workflow 1 2
run > /dev/null
[ "$(cat out.txt)" = "1 2" ]
workflow 1 3
said=$(run --dry-run)
grep -q "params have changed" <<< "$said" || { echo "a changed value is no reason any more"; exit 1; }
workflow 2 1
said=$(run)
tail -n 3 <<< "$said"
if grep -q "Nothing to be done" <<< "$said" && [ "$(cat out.txt)" = "1 2" ]; then
    echo "as seen: out.txt still holds '1 2' although the rule asks for '2 1'"
else
    echo "changed: the exchange is noticed now"
    exit 1
fi
