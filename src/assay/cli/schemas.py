"""JSON schemas of the files users write, for editors that complete and check keys; `make schemas` writes config/schemas/."""

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from assay.datasets import Table
from assay.language.configuration import Config
from assay.language.limits import LARGEST, MOST_OF
from assay.language.scales import Scale
from assay.language.study import StudyFile
from assay.pipeline.estimates import Throughputs
from assay.storage.files import write_atomic
from assay.storage.places import PROJECT

SCHEMAS: dict[str, type[BaseModel]] = {
    "config": Config,
    "datasets": Table,
    "scale": Scale,
    "study": StudyFile,
    "throughputs": Throughputs,
}


def schema_text(name: str) -> str:
    """The schema of one kind of file as JSON."""
    schema = SCHEMAS[name].model_json_schema()
    if name == "study":
        _add_limits(schema)
    return json.dumps(schema, indent=1, sort_keys=True) + "\n"


def _add_limits(schema: dict[str, Any]) -> None:
    """Bound the numbers of a study's fields as `assay check` does (assay.language.limits): by the names of their keys, at any
    depth. What one name is of is not told apart, so a number that needs its parameter's type to be wrong is left to the check.
    """
    bounds = {limit: f"UpTo{limit}" for limit in sorted(set(MOST_OF.values()))}
    anything = {"$ref": "#/$defs/Field"}
    # Draws count streams and have no bound.
    keys = {"draws": {}} | {key: {"$ref": f"#/$defs/{bounds[limit]}"} for key, limit in MOST_OF.items()}
    for limit, name in [(LARGEST, "Field"), *bounds.items()]:
        items = {"$ref": f"#/$defs/{name}"}
        inside = {"properties": keys, "additionalProperties": anything, "items": items}
        schema["$defs"][name] = inside | {"minimum": -limit, "maximum": limit}
    fields = schema["properties"]
    number = schema["$defs"]["PublishedNumber"]["properties"]
    for place in (fields["base"], fields["protocol"], fields["figure"], number["same_as"]):
        place["allOf"] = [anything]
    for group in (fields["arms"], fields["networks"]):
        group["additionalProperties"]["allOf"] = [anything]
    swept = {rf"(^|\.){key}$": {"$ref": f"#/$defs/{bounds[limit]}"} for key, limit in MOST_OF.items()}
    fields["sweep"]["allOf"] = [{"patternProperties": swept}]


def write_schemas(folder: Path = PROJECT / "config" / "schemas") -> None:
    """Write one schema a kind of file."""
    for name in SCHEMAS:
        write_atomic(folder / f"{name}.schema.json", schema_text(name))


if __name__ == "__main__":
    write_schemas()
