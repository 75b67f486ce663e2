"""Write the report (rule report)."""

from assay.pipeline.forwarding import forward

forward(snakemake, start=False)  # noqa: F821

import gc
from pathlib import Path

from assay.language.studies import load_studies
from assay.pipeline.running import job
from assay.pipeline.sources import Sources
from assay.report.reporting import write_manifest, write_report
from assay.storage.files import read_json

NAMED = 5  # parts of a report in the log, which a terminal shows where the job fails
manifest = Path(snakemake.output[0])  # noqa: F821
made: list[Path] = []

with job(snakemake, made) as say:  # noqa: F821
    gc.disable()  # looking for garbage would take a seventh of the time
    sources = Sources.read(manifest.parents[1])
    studies = load_studies(snakemake.params.scale, with_drafts=sources.shown)  # noqa: F821
    written = write_report(list(studies.values()), sources)
    named = ", ".join(written[:NAMED]) + (f" and {len(written) - NAMED} more" if written[NAMED:] else "")
    say(f"written: {named or 'nothing; every page is up to date'}")
    write_manifest(manifest)
    made += [manifest.parent / name for name in read_json(manifest)]
