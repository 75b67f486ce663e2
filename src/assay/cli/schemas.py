"""JSON schemas of the files users write, for editors that complete and check keys; `make schemas` writes config/schemas/."""

import json
from pathlib import Path

from pydantic import BaseModel

from assay.datasets import Table
from assay.language.configuration import Config
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
    return json.dumps(SCHEMAS[name].model_json_schema(), indent=1, sort_keys=True) + "\n"


def write_schemas(folder: Path = PROJECT / "config" / "schemas") -> None:
    """Write one schema a kind of file."""
    for name in SCHEMAS:
        write_atomic(folder / f"{name}.schema.json", schema_text(name))


if __name__ == "__main__":
    write_schemas()
