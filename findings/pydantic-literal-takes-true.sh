#!/usr/bin/env bash
# pydantic 2.14.3: a field of type Literal[1, 3] takes true and 1.0, in strict mode too; the schema it exports refuses true.
#
# Expected: true is no 1 where the type lists 1 and 3, as JSON Schema has it ("enum": [1, 3], "type": "integer") and strict mode says
# of int.
# Seen: both are taken, and become the int 1. A file that an editor marks as wrong by the exported schema is valid to the program;
# `channels: yes` in YAML is one channel.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pydantic==2.14.3 jsonschema==4.26.0
venv/bin/python << 'END'
from typing import Literal

from jsonschema import Draft202012Validator
from pydantic import TypeAdapter, ValidationError

adapter = TypeAdapter(Literal[1, 3])
schema = adapter.json_schema()
print(f"schema: {schema}")
taken = []
for text, value in (("true", True), ("1.0", 1.0), ("1", 1), ("2", 2)):
    try:
        found = repr(adapter.validate_json(text, strict=True))
    except ValidationError:
        found = "refused"
    by_schema = "valid" if Draft202012Validator(schema).is_valid(value) else "refused"
    print(f"{text}: {found} by pydantic (strict), {by_schema} by its schema")
    taken.append((text, found, by_schema))
wanted = [("true", "1", "refused"), ("1.0", "1", "valid"), ("1", "1", "valid"), ("2", "refused", "refused")]
assert taken == wanted, "changed: true is refused now, or the schema takes it"
try:
    TypeAdapter(int).validate_json("true", strict=True)
    raise SystemExit("changed: strict mode takes true for an int")
except ValidationError:
    print("as seen: true is a Literal[1, 3] and no int")
END
