"""After a failed run: judge and show the studies that worked, and say why the others did not, with what their other arms came to.

Its verdicts lie beside those of a complete run, and its report lacks the manifest of a complete one, so that the next run
knows what is left to do.

usage: partial_report.py RESULTS SCALE
"""

import json
import sys
from pathlib import Path

from assay.errors import AssayError
from assay.judging.judging import write_verdicts
from assay.language.studies import load_studies
from assay.pipeline.partial import shown_in_part
from assay.pipeline.sources import Sources
from assay.report.reporting import draw_in_part, write_report
from assay.storage.places import WORK
from assay.storage.receipts import Receipt

PARTIAL = "verdicts-partial.json"

results, scale = Path(sys.argv[1]), sys.argv[2]
try:
    planned = Sources.read(results)
    studies = load_studies(scale, with_drafts=planned.shown)
    sources = shown_in_part(planned, studies)
    draw_in_part(studies, sources)
    write_verdicts([json.loads(studies[name].judgement) for name in planned.shown], sources, scale, WORK, PARTIAL)
    Receipt(results / "logs" / "report.log").withdraw()
    write_report(list(studies.values()), sources, PARTIAL)
except AssayError as error:
    sys.exit(f"no report: {error}")
print(f"Some jobs failed; what could be judged, and why the rest could not, is in {results}/report/index.html", file=sys.stderr)
