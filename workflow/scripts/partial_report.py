"""After a failed run: judge and show the studies that worked, and say why the others did not.

usage: partial_report.py RESULTS SCALE [STUDY ...]
"""

import json
import sys
from pathlib import Path

from assay.errors import AssayError
from assay.files import write_atomic
from assay.judging import write_verdicts
from assay.reporting import draw_figure, write_report
from assay.studies import load_studies

results, scale, names = Path(sys.argv[1]), sys.argv[2], sys.argv[3:]
studies = load_studies(scale, only=names or None)
write_verdicts([json.loads(study.judgement) for study in studies.values()], results)
for study in studies.values():
    target = results / "figures" / f"{study.name}.svg"
    if not target.exists():
        try:
            write_atomic(target, draw_figure(study, results))
        except AssayError as error:
            print(f"{study.name}: no figure: {error}", file=sys.stderr)
write_report(list(studies.values()), results)
print(f"Some jobs failed; what could be judged is in {results}/report/index.html")
